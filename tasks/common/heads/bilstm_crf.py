"""The BiLSTM-CRF tagger.

Source: Peters et al. 2018, section 4 and supplement A.7; sizes as in AllenNLP's ``ner_elmo`` configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from harness.config.bounds import Count, Dropout, Positive
from harness.nn.char_cnn import CharCnnWords
from harness.nn.crf import ConditionalRandomField
from harness.nn.recurrent import BiLstm
from harness.types import Batch, Prediction, TokenVectors
from tasks.common.tag_schemes import TagScheme, convert, legal_transitions


@dataclass(frozen=True, kw_only=True)
class BiLstmCrfOptions:
    """Sizes of the BiLSTM-CRF tagger.

    Args:
        hidden_dim: The number of cells of the BiLSTM in each direction.
        num_layers: The number of layers of the BiLSTM.
        dropout: The dropout on the input of the BiLSTM, between its layers, and on its output.
        char_dim: The width of a character vector.
        char_filters: The number of filters of the character CNN; 0 for no character CNN.
        char_width: The number of characters under a filter.
    """

    hidden_dim: Positive = 200
    num_layers: Positive = 2
    dropout: Dropout = 0.5
    char_dim: Positive = 16
    char_filters: Count = 128
    char_width: Positive = 3


class BiLstmCrf(nn.Module):
    """Token vectors and character CNN -> BiLSTM -> linear -> CRF.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that are joined to the output of the BiLSTM; 0 for none.
        labels: The tags of the CRF.
        scheme: The scheme of these tags. The CRF decodes only sequences that the scheme allows. None for labels that
            are no tags of entities; then it decodes any sequence.
        hidden_dim: The number of cells of the BiLSTM in each direction.
        num_layers: The number of layers of the BiLSTM.
        dropout: The dropout on the input of the BiLSTM, between its layers, and on its output.
        char_dim: The width of a character vector.
        char_filters: The number of filters of the character CNN; 0 for no character CNN.
        char_width: The number of characters under a filter.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        output_dim: int,
        labels: Sequence[str],
        scheme: TagScheme | None,
        hidden_dim: int,
        num_layers: int,
        dropout: float,
        char_dim: int,
        char_filters: int,
        char_width: int,
    ) -> None:
        super().__init__()
        self.labels, self.scheme = tuple(labels), scheme
        self.char_cnn = (
            CharCnnWords(char_dim=char_dim, filters=char_filters, width=char_width) if char_filters else None
        )
        self.dropout = nn.Dropout(dropout)
        self.encoder = BiLstm(
            input_dim=input_dim + char_filters, hidden_dim=hidden_dim, num_layers=num_layers, dropout=dropout
        )
        self.to_tags = nn.Linear(self.encoder.output_dim + output_dim, len(labels))
        allowed, start, end = (None, None, None) if scheme is None else legal_transitions(labels, scheme)
        self.crf = ConditionalRandomField(num_tags=len(labels), allowed=allowed, allowed_start=start, allowed_end=end)

    def emissions(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each tag at each token, float (batch, tokens, tags).

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences, with the input ``chars`` if there is a character CNN.
        """
        tokens, mask = vectors["tokens"], batch.masks["tokens"]
        parts = [tokens.input]  # (batch, tokens, input_dim)
        if self.char_cnn is not None:
            parts.append(self.char_cnn(batch.inputs["chars"]))  # (batch, tokens, char_filters)
        encoded = self.encoder(self.dropout(torch.cat(parts, dim=2)), mask)  # (batch, tokens, 2 * hidden_dim)
        encoded = tokens.join_output(encoded)  # (batch, tokens, 2 * hidden_dim + output_dim)
        emissions: Tensor = self.to_tags(self.dropout(encoded))  # (batch, tokens, tags)
        return emissions

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the negative log-likelihood, summed over the batch as in AllenNLP.

        Args:
            vectors: As in ``emissions``.
            batch: As in ``emissions``, with gold ``labels``, int64 (batch, tokens), any value at padding.
        """
        emissions = self.emissions(vectors, batch)  # (batch, tokens, tags)
        return -self.crf.log_likelihood(emissions, batch.gold["labels"], batch.masks["tokens"]).sum()

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the best legal tag sequence of each row, in BIO if the tags have a scheme, with its probability.

        Args:
            vectors: As in ``emissions``.
            batch: As in ``emissions``.
        """
        emissions, mask = self.emissions(vectors, batch), batch.masks["tokens"]  # (batch, tokens, tags), _
        paths = self.crf.viterbi(emissions, mask)
        tags = pad_sequence([torch.tensor(path, dtype=torch.int64) for path in paths], batch_first=True)
        scores = self.crf.log_likelihood(emissions, tags.to(mask.device), mask).exp().tolist()  # (batch,)
        rows = [tuple(self.labels[tag] for tag in path) for path in paths]
        values = rows if self.scheme is None else [convert(row, self.scheme, "bio") for row in rows]
        return [
            Prediction(id=example.id, value=value, scores=score)
            for example, value, score in zip(batch.examples, values, scores, strict=True)
        ]
