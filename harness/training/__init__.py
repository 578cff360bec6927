"""Training a head on frozen features and scoring it.

``trainer`` runs the epochs of a ``model``, which joins token features and head, and ``evaluation`` scores a split;
``fitting`` shows the data once to a head that learns without gradients. The other files decide which examples form a
batch, make the optimiser, average the weights, and set up torch.
"""
