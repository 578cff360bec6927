"""The edge probe: what the vectors of a span, or of a pair of spans, tell about its label.

Source: Tenney et al. 2019 (arXiv 1905.06316), section 4.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.nn.attention import masked_softmax
from harness.types import Batch, Prediction, TokenVectors
from tasks.common.heads.mlp import Mlp, MlpOptions


class SpanPool(nn.Module):
    """One vector per span: a mean of its projected tokens, weighted by a learned score of each token.

    Args:
        input_dim: The width of the token vectors.
        projection_dim: The width of the projected vectors.
    """

    def __init__(self, *, input_dim: int, projection_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_dim, projection_dim)
        self.score = nn.Linear(projection_dim, 1, bias=False)  # the softmax would cancel a bias

    def forward(self, vectors: Tensor, spans: Tensor) -> Tensor:
        """Return the vectors of spans, float (batch, spans, projection_dim); an empty span has the vector 0.

        Args:
            vectors: The token vectors, float (batch, tokens, input_dim).
            spans: The first token of each span, and the token after its last one, int64 (batch, spans, 2).
        """
        projected = self.project(vectors)  # (batch, tokens, projection_dim)
        places = torch.arange(vectors.shape[1], device=vectors.device)  # (tokens,)
        inside = (spans[..., :1] <= places) & (places < spans[..., 1:])  # (batch, spans, tokens)
        scores = self.score(projected).transpose(1, 2).expand(inside.shape)  # (batch, spans, tokens)
        return masked_softmax(scores, inside) @ projected


class EdgeProbe(nn.Module):
    """Span pools -> concatenation -> classifier; each label is a decision of its own, by a sigmoid.

    Each span of a pair has its own pool. The classifier reads nothing but the spans.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that other heads join to the output of their encoder; 0 for none. A probe
            has no encoder, so it joins them to the token vectors.
        labels: All labels.
        pair: Whether a target is a pair of spans.
        projection_dim: The width to which token vectors are projected before they are pooled.
        mlp: The sizes of the classifier; None for a linear one.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        output_dim: int,
        labels: Sequence[str],
        pair: bool,
        projection_dim: int,
        mlp: MlpOptions | None,
    ) -> None:
        super().__init__()
        self.labels = tuple(labels)
        spans = ("span1", "span2") if pair else ("span1",)
        width = input_dim + output_dim
        self.pools = nn.ModuleDict({name: SpanPool(input_dim=width, projection_dim=projection_dim) for name in spans})
        pooled = projection_dim * len(spans)
        self.classifier: nn.Module = nn.Linear(pooled, len(self.labels))
        if mlp is not None:
            self.classifier = Mlp(input_dim=pooled, num_labels=len(self.labels), options=mlp)

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label for each target, float (batch, targets, labels).

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences, with the inputs ``span1`` and, for pairs, ``span2``, int64 (batch, targets, 2).
        """
        tokens = vectors["tokens"]
        joined = tokens.join_output(tokens.input)  # (batch, tokens, input_dim + output_dim)
        pooled = [pool(joined, batch.inputs[name]) for name, pool in self.pools.items()]
        scores: Tensor = self.classifier(torch.cat(pooled, dim=2))  # (batch, targets, labels)
        return scores

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the loss of a target, averaged over the targets of the batch.

        Args:
            vectors: As in ``scores``.
            batch: As in ``scores``, with gold ``labels``, float (batch, targets, labels): 1 for each label of a target,
                and the input ``targets``, bool (batch, targets), True where there is a target.
        """
        losses = self.losses(self.scores(vectors, batch), batch.gold["labels"])  # (batch, targets)
        given = batch.inputs["targets"]  # (batch, targets)
        return losses.masked_fill(~given, 0.0).sum() / given.sum().clamp(min=1)

    def losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the binary cross-entropy of each target, summed over its labels, float (batch, targets).

        Args:
            scores: Float (batch, targets, labels).
            labels: Float (batch, targets, labels), 1 for each label of a target.
        """
        return F.binary_cross_entropy_with_logits(scores, labels, reduction="none").sum(dim=2)

    def chosen(self, scores: Tensor) -> Tensor:
        """Return which labels are predicted: those with a probability above 1/2, bool (batch, targets, labels)."""
        return scores > 0

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the labels of each target for each row.

        Args:
            vectors: As in ``scores``.
            batch: As in ``scores``.
        """
        chosen = self.chosen(self.scores(vectors, batch)).tolist()
        numbers = batch.inputs["targets"].sum(dim=1).tolist()  # (batch,)
        return [
            Prediction(
                id=example.id,
                value=[
                    [name for name, is_chosen in zip(self.labels, one, strict=True) if is_chosen] for one in row[:n]
                ],
            )
            for example, row, n in zip(batch.examples, chosen, numbers, strict=True)
        ]


class OneLabelEdgeProbe(EdgeProbe):
    """An edge probe that gives each target exactly one label, by a softmax."""

    def losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of each target, float (batch, targets); 0 if no label is known.

        Args:
            scores: Float (batch, targets, labels).
            labels: Float (batch, targets, labels), 1 for the label of a target.
        """
        return -(scores.log_softmax(dim=2) * labels).sum(dim=2)

    def chosen(self, scores: Tensor) -> Tensor:
        """Return the label with the highest score as bool (batch, targets, labels)."""
        return F.one_hot(scores.argmax(dim=2), len(self.labels)).bool()

    def label_nats(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return ``-ln p`` of the label of each target, and where there is one; see ``Coding``.

        Args:
            vectors: As in ``scores``.
            batch: As in ``loss``.
        """
        labels = batch.gold["labels"]
        return self.losses(self.scores(vectors, batch).double(), labels.double()), labels.any(dim=2)
