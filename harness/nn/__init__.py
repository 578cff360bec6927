"""Layers that several task heads share; each is checked against a plain loop in ``tests/nn``.

``attention``, ``bi_attention``, ``highway``, ``pooling``, ``feedforward`` and ``dropout`` hold small layers of the
published heads, and ``spans`` finds the best answer span. ``char_cnn`` computes word vectors from characters.
``recurrent`` holds the LSTM and the GRU, and ``crf`` the conditional random field.

``masking`` and ``packing`` describe batches of rows that have different lengths.

Two files exist only for speed on a CPU, and a reader can skip them: ``similar_lengths`` orders the rows of an LSTM, and
``crf_forward_backward`` computes the same as the loop in ``crf``.
"""
