"""Configuration: the schema, how plug-ins are built from it, how Hydra composes it."""
