"""One file for each subcommand of `python -m harness`."""
