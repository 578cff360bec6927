"""Trackers that receive a copy of each run, and a wandb view that shows ablations."""
