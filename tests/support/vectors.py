"""Token vectors for tests of heads."""

import torch

from harness.types import Batch, TokenVectors

INPUT_DIM = 10


def vectors_of_words(batch: Batch, *, output_dim: int = 0) -> dict[str, TokenVectors]:
    """Return, for each text of a batch, token vectors that depend on the word alone."""
    made = {}
    for text, mask in batch.masks.items():
        table = torch.zeros(*mask.shape, INPUT_DIM + output_dim)  # (batch, tokens, dim)
        for row, sentence in zip(table, batch.sentences(text), strict=True):
            for t, word in enumerate(sentence):
                generator = torch.Generator().manual_seed(sum(map(ord, word)))
                row[t] = torch.randn(INPUT_DIM + output_dim, generator=generator)
        output = table[..., INPUT_DIM:] if output_dim else None
        made[text] = TokenVectors(input=table[..., :INPUT_DIM], output=output)
    return made
