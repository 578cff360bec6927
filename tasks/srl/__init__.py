"""Semantic role labelling: the arguments of a given predicate."""
