"""Statistics over finished runs: comparison, power, nearest neighbours, the report."""
