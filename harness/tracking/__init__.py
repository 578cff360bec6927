"""Trackers that receive a copy of each run, and the view of a wandb project in which ablations are read."""
