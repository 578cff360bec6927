"""Frozen encoders: words in, layers of vectors out."""
