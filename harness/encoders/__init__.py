"""Frozen encoders: they map words to layers of contextual vectors.

``elmo`` holds ``load_elmo`` and the encoder behind the ``Encoder`` protocol; ``random_elmo`` gives the same encoder
random weights, and ``elmo_many_langs`` loads models of ELMoForManyLangs into it, whose characters and words
``lexicon`` holds. They need these files, in the order from text to vectors: ``char_ids`` maps words to character ids,
``bilm`` is the neural network (a character CNN and LSTMs), ``word_vector_cache`` runs the character CNN once per
distinct word, and ``burn_in`` computes the LSTM state from which sentences start.

``options`` and ``weights`` read the official files ``options.json`` and ``weights.hdf5``. ``bfloat16`` computes matrix
products in bfloat16, which is faster on some processors. ``kernels`` makes the LSTMs fast, and a reader can skip it.
"""
