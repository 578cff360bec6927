"""Tables, statistics and figures of a folder of finished runs: the package behind ``python -m harness report``."""
