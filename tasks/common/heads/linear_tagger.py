"""The linear probe.

Source: Peters et al. 2018, section 5.3.
"""

from torch import Tensor, nn

from harness.types import TokenVectors


class LinearTagger(nn.Module):
    """One linear layer on the vector of each token; it has no context and no dropout.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that other heads join to the output of their encoder; 0 for none. A probe
            has no encoder, so it joins them to the token vectors.
        num_labels: The number of labels.
    """

    def __init__(self, *, input_dim: int, output_dim: int, num_labels: int) -> None:
        super().__init__()
        self.to_labels = nn.Linear(input_dim + output_dim, num_labels)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:  # noqa: ARG002
        """Return the score of each label at each token, float (batch, tokens, labels).

        Args:
            tokens: The vectors of a text.
            mask: bool (batch, tokens). It is not used, because each token is scored by itself.
        """
        vectors = tokens.join_output(tokens.input)  # (batch, tokens, input_dim + output_dim)
        scores: Tensor = self.to_labels(vectors)  # (batch, tokens, labels)
        return scores
