"""Sweeps: run every job of a command line, whatever happens to the others.

A finished job is launched too, and ends at once, because ``harness.runs.run`` finds its record.
"""
