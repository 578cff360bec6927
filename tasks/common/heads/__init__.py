"""Heads that several tasks share, one in each file, and the loss and prediction around their networks."""
