"""From the encoder to the input of the task head.

``store`` reads the layers of a sentence and keeps them on disk, in the format of ``blob_file``. ``layer_mix`` reduces
them to one vector per token. ``static_vectors`` looks up the vector of a word, which ``glove_text`` has converted from
GloVe's text format. ``token_features`` joins both into the vectors that a head receives.
"""
