"""Fine-grained sentiment classification."""
