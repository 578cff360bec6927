"""How the encoder is made fast; a reader can skip this folder."""
