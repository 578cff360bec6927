"""Small data sets of the project itself, made by seeded generators."""
