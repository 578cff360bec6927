"""Tables, statistics and figures of a folder of finished runs: the wing behind ``python -m harness report``."""
