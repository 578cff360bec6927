"""The biLM of ELMo: a character CNN, and two independent stacks of projected LSTMs, forward and backward.

The parameters have the layout of the official file, so loading and exporting copy them unchanged.

Source: Peters et al. 2018 (arXiv 1802.05365), section 3; exact operations as in the official code.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.encoders.kernels.async_copy import device_copy
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.mixed_matmul import affine
from harness.encoders.kernels.projected_lstm import ProjectedLstm
from harness.encoders.lexicon import Lexicon
from harness.encoders.options import NUM_CHARACTERS, BiLmOptions
from harness.nn.packing import Packing

BiLmState = tuple[tuple[LstmState, ...], tuple[LstmState, ...]]  # [direction][layer]


class CharCnn(nn.Module):
    """The character CNN: it maps the character ids of a word to its context-free vector.

    A word has ``max_chars`` slots, and its windows are those that lie within the slots, as in bilm-tf and AllenNLP.
    The last ones cover padding, whose id has a trained vector of its own. The vector of a word therefore does not
    depend on the other words of its batch.

    Args:
        options: The architecture.
        lexicon: The characters and words of the model; None: the bytes of the official model, and no words.
    """

    def __init__(self, options: BiLmOptions, lexicon: Lexicon | None = None) -> None:
        super().__init__()
        self.options, self.lexicon = options, lexicon
        n_filters, n_chars = options.n_filters, NUM_CHARACTERS if lexicon is None else lexicon.n_chars
        self.char_embed = nn.Parameter(torch.empty(n_chars, options.char_dim))
        self.conv_weight = nn.ParameterList(torch.empty(1, w, options.char_dim, n) for w, n in options.filters)
        self.conv_bias = nn.ParameterList(torch.empty(n) for _, n in options.filters)
        highways = range(options.n_highway)
        self.carry_weight = nn.ParameterList(torch.empty(n_filters, n_filters) for _ in highways)
        self.carry_bias = nn.ParameterList(torch.empty(n_filters) for _ in highways)
        self.transform_weight = nn.ParameterList(torch.empty(n_filters, n_filters) for _ in highways)
        self.transform_bias = nn.ParameterList(torch.empty(n_filters) for _ in highways)
        if options.projects_words:
            self.proj_weight = nn.Parameter(torch.empty(n_filters, options.projection_dim))
            self.proj_bias = nn.Parameter(torch.empty(options.projection_dim))

    def forward(self, char_ids: Tensor) -> Tensor:
        """Map character ids, int64 (words, chars), to word vectors, float (words, projection_dim).

        Padding at the end of a word is an ordinary character here: it takes part in the convolutions.
        """
        table = F.pad(self.char_embed, (0, 0, 1, 0))  # (262, char_dim): row 0, the mask id, is zero
        convolve = self._summed if torch.is_grad_enabled() else self._convolved
        activation = torch.relu if self.options.activation == "relu" else torch.tanh
        convolved = [
            activation(convolve(char_ids, table, weight[0]) + bias)  # (words, filters)
            for weight, bias in zip(self.conv_weight, self.conv_bias, strict=True)
        ]
        words = torch.cat(convolved, dim=1)  # (words, n_filters)
        for k in range(self.options.n_highway):
            # What the official file calls the "carry" gate weights the transformed part, not the carried one.
            gate = torch.sigmoid(affine(self.carry_bias[k], words, self.carry_weight[k]))  # (words, n_filters)
            transformed = torch.relu(affine(self.transform_bias[k], words, self.transform_weight[k]))  # like gate
            words = gate * transformed + (1 - gate) * words  # (words, n_filters)
        if self.options.projects_words:
            words = affine(self.proj_bias, words, self.proj_weight)  # (words, projection_dim)
        return words

    def _convolved(self, char_ids: Tensor, table: Tensor, weight: Tensor) -> Tensor:
        """Return the best window of each filter, (words, filters), for a weight (width, char_dim, filters)."""
        chars = F.embedding(char_ids, table).transpose(1, 2)  # (words, char_dim, chars)
        return F.conv1d(chars, weight.permute(2, 1, 0)).amax(dim=2)  # (words, filters)

    def _summed(self, char_ids: Tensor, table: Tensor, weight: Tensor) -> Tensor:
        """Do the same as ``_convolved`` with a faster gradient: a window is a sum of one product per character."""
        width, windows = len(weight), char_ids.shape[1] - len(weight) + 1
        products = table @ weight  # (width, 262, filters)
        total = F.embedding(char_ids[:, :windows], products[0])  # (words, windows, filters)
        for place in range(1, width):
            total = total.add_(F.embedding(char_ids[:, place : place + windows], products[place]))
        # The gradient of amax would be divided among windows that are equal, which takes longer.
        return total.max(dim=1).values


class BiLm(nn.Module):
    """The whole biLM: it maps word vectors to layers of contextual vectors, in both directions.

    Args:
        options: The architecture.
        lexicon: See ``CharCnn``.
    """

    def __init__(self, options: BiLmOptions, lexicon: Lexicon | None = None) -> None:
        super().__init__()
        self.options = options
        self.char_cnn = CharCnn(options, lexicon)
        self.directions = nn.ModuleList(
            nn.ModuleList(ProjectedLstm(options) for _ in range(options.n_layers)) for _ in range(2)
        )

    def zero_state(self, rows: int) -> BiLmState:
        """Return the all-zero state of ``rows`` sentences."""
        like, options = self.char_cnn.char_embed, self.options
        zero = LstmState(like.new_zeros(rows, options.projection_dim), like.new_zeros(rows, options.lstm_dim))
        return (zero,) * options.n_layers, (zero,) * options.n_layers

    def forward(self, words: Tensor, rows: Tensor, packing: Packing, state: BiLmState) -> tuple[Tensor, BiLmState]:
        """Run both directions over packed sentences. Boundary tokens are words like all others.

        Args:
            words: Word vectors, float (types, projection_dim).
            rows: Int64 (positions,), the row in ``words`` of each position, sentences end to end, longest first.
            packing: The layout of the sentences.
            state: The state of each sentence before its first step.

        Returns:
            Layers (n_layers + 1, positions, 2 * projection_dim), where layer 0 is the word vector twice, and the state
            of each sentence after its last step.
        """
        layers = words.new_empty(self.options.n_layers + 1, len(rows), 2, self.options.projection_dim)
        layers[0] = words[rows][:, None]  # (positions, 1, projection_dim)

        def run(direction: int) -> tuple[LstmState, ...]:
            order, states = device_copy(packing.orders[direction], layers.device), []  # (positions,)
            outputs = self._run(direction, words, rows[order], packing.batch_sizes, state[direction])
            for layer, (output, last) in enumerate(outputs, start=1):
                layers[layer, :, direction].index_copy_(0, order, output)
                states.append(last)
            return tuple(states)

        after = run(0), run(1)
        return layers.flatten(2), after

    def _run(
        self, direction: int, words: Tensor, rows: Tensor, batch_sizes: Sequence[int], before: Sequence[LstmState]
    ) -> Iterator[tuple[Tensor, LstmState]]:
        """Yield the output of each layer in one direction, (positions, projection_dim), time-major, and its state."""
        lstms, inputs = self.directions[direction], words
        assert isinstance(lstms, nn.ModuleList)
        for layer, (lstm, state) in enumerate(zip(lstms, before, strict=True)):
            output, last = lstm(inputs, batch_sizes, state, rows=rows if layer == 0 else None)
            if layer > 0 and self.options.use_skip_connections:
                output = output + inputs  # the recurrent state stays the value before the addition
            yield output, last
            inputs = output


def map_state(state: BiLmState, function: Callable[[Tensor], Tensor]) -> BiLmState:
    """Apply a function to every tensor of a state.

    Args:
        state: The state, per direction and layer.
        function: Maps a hidden or cell tensor, (rows, dim), to its replacement.
    """

    def each(states: tuple[LstmState, ...]) -> tuple[LstmState, ...]:
        return tuple(LstmState(function(one.hidden), function(one.cell)) for one in states)

    return each(state[0]), each(state[1])


def official_names(options: BiLmOptions) -> dict[str, str]:
    """Return the name in the official file of each parameter of a ``BiLm``."""
    names = {"char_cnn.char_embed": "char_embed"}
    for i in range(len(options.filters)):
        names[f"char_cnn.conv_weight.{i}"] = f"CNN/W_cnn_{i}"
        names[f"char_cnn.conv_bias.{i}"] = f"CNN/b_cnn_{i}"
    for k in range(options.n_highway):
        for gate in ("carry", "transform"):
            names[f"char_cnn.{gate}_weight.{k}"] = f"CNN_high_{k}/W_{gate}"
            names[f"char_cnn.{gate}_bias.{k}"] = f"CNN_high_{k}/b_{gate}"
    if options.projects_words:
        names |= {"char_cnn.proj_weight": "CNN_proj/W_proj", "char_cnn.proj_bias": "CNN_proj/b_proj"}
    for direction in range(2):
        for layer in range(options.n_layers):
            lstm, cell = f"directions.{direction}.{layer}", f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            names |= {f"{lstm}.weight": f"{cell}/W_0", f"{lstm}.bias": f"{cell}/B"}
            if options.projects_states:
                names[f"{lstm}.projection"] = f"{cell}/W_P_0"
    return names


def dataset_shapes(options: BiLmOptions) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every dataset that the official HDF5 file must hold."""
    with torch.device("meta"):
        parameters = dict(BiLm(options).named_parameters())
    return {dataset: tuple(parameters[name].shape) for name, dataset in official_names(options).items()}


def build_bilm(options: BiLmOptions, weights: Mapping[str, Tensor], lexicon: Lexicon | None = None) -> BiLm:
    """Return a frozen biLM.

    Args:
        options: The architecture.
        weights: A tensor for each name in the official file, in the layout of the file.
        lexicon: See ``CharCnn``.
    """
    with torch.device("meta"):
        bilm = BiLm(options, lexicon)
    parameters = {name: weights[dataset] for name, dataset in official_names(options).items()}
    bilm.load_state_dict(parameters, assign=True)
    return bilm.eval().requires_grad_(False)
