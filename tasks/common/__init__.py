"""Parts that several tasks share: readers of common formats, published data sets, scores."""
