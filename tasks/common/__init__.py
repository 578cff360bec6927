"""What several tasks share: readers of shared formats, published data sets, scores."""
