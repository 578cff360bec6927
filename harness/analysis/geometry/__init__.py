"""The geometry of frozen layers: how alike vectors are, how much depends on context, and which layers are alike."""
