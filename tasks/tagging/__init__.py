"""Tagging with labels of the user's own, one for each token."""
