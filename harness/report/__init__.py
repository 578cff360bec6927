"""``python -m harness.report DIR``: what a folder of runs says, in tables and figures."""
