"""Edge probing: label spans of a sentence, or pairs of spans."""
