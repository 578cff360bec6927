"""Trackers that receive a copy of each run, and the wandb dashboard."""
