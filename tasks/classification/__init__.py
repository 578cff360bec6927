"""Classification of texts or pairs of texts, with labels of the user's own."""
