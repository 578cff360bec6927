"""``python -m harness.analysis.report DIR``: what a folder of runs says, in tables and figures."""
