"""Training a biLM on plain text, and exporting it in the official layout."""
