"""Sweeps: run every job of a command line, whatever happens to the others."""
