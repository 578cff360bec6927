"""Word-sense disambiguation."""
