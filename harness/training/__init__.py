"""Training a head on frozen features and scoring it."""
