"""The span ranker: every span may be a mention, and every mention chooses its antecedent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.bounds import Count, Dropout, Positive, PositiveFloat
from harness.nn.char_cnn import CharCnnWords
from harness.nn.coupled_lstm import CoupledBiLstm
from harness.types import Batch, Prediction, TokenVectors
from tasks.coref.antecedents import AntecedentScorer, links_log_likelihood
from tasks.coref.documents import TEXT
from tasks.coref.spans import Spans, SpanScorer, best_without_crossing, candidates

GENRES = ("bc", "bn", "mz", "nw", "pt", "tc", "wb")  # of OntoNotes; any other genre has the number 0
Singletons = Literal["drop", "emit"]


@dataclass(frozen=True, kw_only=True)
class CharOptions:
    """Sizes of the character CNN, whose output joins the token vectors.

    Args:
        filters: The number of filters of each width; 0 for no character CNN.
        dim: The width of the vector of a character.
        widths: The numbers of characters under a filter.
    """

    filters: Count = 0
    dim: Positive = 8
    widths: tuple[Positive, ...] = (3, 4, 5)


@dataclass(frozen=True, kw_only=True)
class SpanRankerOptions:
    """Sizes of the span ranker.

    Args:
        hidden_dim: The number of cells of the LSTM in each direction.
        ffnn_dim: The width of each layer of the two feed-forward networks.
        ffnn_layers: The number of their layers.
        feature_dim: The width of the vectors for width, distance, speaker and genre.
        max_width: The greatest number of tokens of a mention.
        mentions_per_word: How many spans are kept as possible mentions, for each word of the document.
        max_antecedents: How many of the kept spans before a span may be its antecedent, the nearest ones.
        max_train_sentences: In training, a longer document is cut to a random window of so many sentences; None for
            never.
        lexical_dropout: The dropout on the vectors of words.
        dropout: The dropout in the LSTM, on its output, in the feed-forward networks, and on features.
        chars: The character CNN.
    """

    hidden_dim: Positive = 100
    ffnn_dim: Positive = 100
    ffnn_layers: Positive = 2
    feature_dim: Positive = 20
    max_width: Positive = 10
    mentions_per_word: PositiveFloat = 0.4
    max_antecedents: Positive = 100
    max_train_sentences: Positive | None = 50
    lexical_dropout: Dropout = 0.5
    dropout: Dropout = 0.2
    chars: CharOptions = field(default_factory=CharOptions)


@dataclass(frozen=True)
class _Tokens:
    """The tokens of all documents of a batch, one after the other; each tensor has one row per token.

    Attributes:
        words: Float (tokens, word_dim), the vectors before the LSTM.
        output: Float (tokens, output_dim), vectors that join the output of the LSTM; or None.
        row: Int64 (tokens,), the row of the document in the batch.
        sentence: Int64 (tokens,), the number of the sentence, which no other document has.
        speaker: Int64 (tokens,), the speaker.
        place: Int64 (tokens,), the position of the token in its document.
    """

    words: Tensor
    output: Tensor | None
    row: Tensor
    sentence: Tensor
    speaker: Tensor
    place: Tensor

    def at(self, kept: Tensor) -> "_Tokens":
        """Return the tokens at the places where ``kept``, bool (tokens,), is True."""
        output = None if self.output is None else self.output[kept]
        rest = (self.row[kept], self.sentence[kept], self.speaker[kept], self.place[kept])
        return _Tokens(self.words[kept], output, *rest)


@dataclass(frozen=True)
class _Mentions:
    """The spans of one document that are kept, in the order of the document.

    Attributes:
        spans: The spans; their tokens are counted over the batch.
        scores: Float (mentions,), the score of each.
        links: Float (mentions, 1 + antecedents), see ``AntecedentScorer``.
    """

    spans: Spans
    scores: Tensor
    links: Tensor


class SpanRanker(nn.Module):
    """A head that finds the mentions of a document and puts those of the same entity together.

    Args:
        input_dim: Width of the token vectors.
        output_dim: Width of the vectors that are joined to the output of the LSTM; 0 for none.
        sizes: The sizes of the head.
        singletons: With ``emit``, a mention without antecedent whose score is above 0 is an entity, and the scores of
            all spans are trained to tell mentions from other spans. With ``drop``, as in the paper, only links are
            trained, and an entity has at least two mentions.

    Source: Lee et al. 2017 (arXiv 1707.07045); Peters et al. 2018, supplement A.6.
    """

    def __init__(self, *, input_dim: int, output_dim: int, sizes: SpanRankerOptions, singletons: Singletons) -> None:
        super().__init__()
        self.sizes, self.singletons = sizes, singletons
        chars = sizes.chars
        self.chars = nn.ModuleList(
            CharCnnWords(char_dim=chars.dim, filters=chars.filters, width=width)
            for width in (chars.widths if chars.filters else ())
        )
        word_dim = input_dim + len(self.chars) * chars.filters
        self.lexical_dropout, self.dropout = nn.Dropout(sizes.lexical_dropout), nn.Dropout(sizes.dropout)
        self.lstm = CoupledBiLstm(input_dim=word_dim, hidden_dim=sizes.hidden_dim, recurrent_dropout=sizes.dropout)
        shared = {"feature_dim": sizes.feature_dim, "ffnn_dim": sizes.ffnn_dim, "ffnn_layers": sizes.ffnn_layers}
        self.span_scorer = SpanScorer(
            context_dim=self.lstm.output_dim + output_dim,
            word_dim=word_dim,
            max_width=sizes.max_width,
            dropout=sizes.dropout,
            **shared,
        )
        self.antecedent_scorer = AntecedentScorer(
            span_dim=self.span_scorer.output_dim,
            max_antecedents=sizes.max_antecedents,
            genres=len(GENRES) + 1,
            dropout=sizes.dropout,
            **shared,
        )

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the negative marginal log-likelihood of the right antecedents, summed over mentions and documents.

        With ``singletons="emit"``, the cross entropy of being a mention is added, summed over all spans.

        Args:
            vectors: The token vectors of the text ``document``.
            batch: The documents with gold ``mentions``, int64 (mentions, 4): row, first token, last token, and entity,
                counted from 1.
        """
        tokens = self._tokens(vectors, batch)
        limit = self.sizes.max_train_sentences
        if limit is not None:
            tokens = tokens.at(_windows(tokens, limit))
        spans, scores, mentions = self._mentions(tokens, batch.inputs["genre"])
        entities = self._entities(tokens, batch.masks[TEXT].shape, batch.gold["mentions"])  # (tokens, max_width)
        total = scores.new_zeros(())
        for found in mentions:
            own = entities[found.spans.starts, found.spans.widths]  # (mentions,)
            total = total - links_log_likelihood(found.links, own)
        if self.singletons == "emit":
            right = (entities[spans.starts, spans.widths] > 0).to(scores.dtype)  # (spans,)
            total = total + F.binary_cross_entropy_with_logits(scores, right, reduction="sum")
        return total

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the entities of each document: a list of mentions each, with the first and the last token.

        Args:
            vectors: The token vectors of the text ``document``.
            batch: The documents.
        """
        tokens = self._tokens(vectors, batch)
        _, _, mentions = self._mentions(tokens, batch.inputs["genre"])
        predictions = []
        for example, found in zip(batch.examples, mentions, strict=True):
            places = zip(tokens.place[found.spans.starts].tolist(), found.spans.widths.tolist(), strict=True)
            named = [(start, start + width) for start, width in places]
            alone = (found.scores > 0).tolist() if self.singletons == "emit" else [False] * len(named)
            predictions.append(
                Prediction(id=example.id, value=entities_of(named, found.links.argmax(1).tolist(), alone))
            )
        return predictions

    def _tokens(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> _Tokens:
        """Return the tokens of all documents of a batch, with dropout on the vectors of words."""
        mask, given = batch.masks[TEXT], vectors[TEXT]
        words = torch.cat([given.input, *(cnn(batch.inputs["chars"]) for cnn in self.chars)], dim=2)
        row, place = mask.nonzero(as_tuple=True)  # (tokens,) each
        sentence = batch.inputs["sentence"][mask] + row * mask.size(1)  # (tokens,)
        output = None if given.output is None else given.output[mask]  # (tokens, output_dim)
        return _Tokens(self.lexical_dropout(words[mask]), output, row, sentence, batch.inputs["speaker"][mask], place)

    def _mentions(self, tokens: _Tokens, genres: Tensor) -> tuple[Spans, Tensor, list[_Mentions]]:
        """Return all spans, their scores (spans,), and what is kept of each document."""
        lengths = torch.unique_consecutive(tokens.sentence, return_counts=True)[1]  # (sentences,)
        context = self.dropout(self.lstm(tokens.words, lengths.cpu()))  # (tokens, 2 * hidden_dim)
        if tokens.output is not None:
            context = torch.cat([context, tokens.output], dim=1)  # (tokens, 2 * hidden_dim + output_dim)
        spans = candidates(tokens.sentence, max_width=self.sizes.max_width)
        scores, attention, features = self.span_scorer(context, tokens.words, spans)
        mentions = []
        row = tokens.row[spans.starts]  # (spans,)
        for number, genre in enumerate(genres):
            own = (row == number).nonzero().squeeze(1)  # (spans of the document,)
            kept = own[self._kept(spans.at(own), scores[own], int((tokens.row == number).sum()))]  # (mentions,)
            best = spans.at(kept)
            span_vectors = self.span_scorer.vectors(context, tokens.words, best, attention[kept], features[kept])
            links = self.antecedent_scorer(span_vectors, scores[kept], tokens.speaker[best.starts], genre)
            mentions.append(_Mentions(best, scores[kept], links))
        return spans, scores, mentions

    def _kept(self, spans: Spans, scores: Tensor, words: int) -> Tensor:
        """Return the places of the spans of a document that are kept, int64 (mentions,)."""
        order = scores.detach().argsort(descending=True, stable=True).tolist()
        first = spans.starts[0]
        starts, ends = (spans.starts - first).tolist(), (spans.ends - first).tolist()
        most = max(1, int(self.sizes.mentions_per_word * words))
        return torch.tensor(best_without_crossing(starts, ends, order, most=most), device=scores.device)

    def _entities(self, tokens: _Tokens, shape: Sequence[int], mentions: Tensor) -> Tensor:
        """Return the gold entity of each span by its first token and its width, int64 (tokens, max_width); 0: none."""
        entities = mentions.new_zeros(*shape, self.sizes.max_width)  # (batch, tokens, max_width)
        row, first, last, entity = mentions[mentions[:, 2] - mentions[:, 1] < self.sizes.max_width].unbind(1)
        entities[row, first, last - first] = entity
        return entities[tokens.row, tokens.place]


def _windows(tokens: _Tokens, limit: int) -> Tensor:
    """Return which tokens are in a random window of at most ``limit`` sentences of their document: bool (tokens,)."""
    kept = torch.zeros_like(tokens.row, dtype=torch.bool)
    for number in tokens.row.unique().tolist():
        own = tokens.row == number  # (tokens,)
        sentences, index = tokens.sentence[own].unique_consecutive(return_inverse=True)  # (sentences,), (own tokens,)
        start = int(torch.randint(max(1, len(sentences) - limit + 1), ()))
        kept[own] = (index >= start) & (index < start + limit)
    return kept


def entities_of(
    mentions: Sequence[tuple[int, int]], antecedents: Sequence[int], alone: Sequence[bool]
) -> list[list[tuple[int, int]]]:
    """Return the entities that links form.

    Args:
        mentions: The first and the last token of each mention, in the order of the document.
        antecedents: How many mentions before each mention its antecedent is; 0 for no antecedent.
        alone: Whether each mention is an entity, too, if nothing links to it.
    """
    entity: list[list[tuple[int, int]]] = []
    for i, (mention, back) in enumerate(zip(mentions, antecedents, strict=True)):
        entity.append(entity[i - back] if back else [])
        entity[i].append(mention)
    different = {id(one): (one, single) for one, single in zip(entity, alone, strict=True) if len(one) > 1 or single}
    return [one for one, _ in different.values()]
