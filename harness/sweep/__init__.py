"""Sweeps: the jobs that a command line spans, run so that one that fails or dies takes no other with it."""
