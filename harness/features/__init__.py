"""Frozen features: the store, static vectors, layer mixes, and the token vectors that heads receive."""
