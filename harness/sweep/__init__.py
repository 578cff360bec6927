"""Sweeps: run every job of a command line, whatever happens to the others.

A job whose run is finished is not launched: its outcome is known from the record.
"""
