"""Analysis of finished runs: statistics, comparison, power, nearest neighbours and the report."""
