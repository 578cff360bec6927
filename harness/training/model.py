"""Token features and a task head as one trainable module."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from torch import Tensor, nn

from harness.config.instantiate import build
from harness.config.schema import MixingConfig
from harness.errors import ConfigError, HarnessError
from harness.features.portion import PortionOfLayers
from harness.features.static_vectors import StaticVectors
from harness.features.token_features import TokenFeatures
from harness.features.uncached import LayerSource
from harness.protocols import Fitted, Head, Task
from harness.types import Batch, Prediction, TokenVectors


class Model(nn.Module):
    """Token features with a task head on top.

    Args:
        features: The features, which give the head its token vectors.
        head: The head, built by the task.
    """

    def __init__(self, *, features: TokenFeatures, head: Head | Fitted) -> None:
        super().__init__()
        kind = type(head).__name__
        if not isinstance(head, nn.Module):
            raise ConfigError(f"task.build_head returned a {kind}; expected a torch.nn.Module")
        if isinstance(head, Fitted) and hasattr(head, "loss"):
            raise ConfigError(f"{kind} has loss and observe; a head that learns from gradients must not have observe")
        wanted = ("predict",) if isinstance(head, Fitted) else ("loss", "predict")
        lacks = [name for name in wanted if not hasattr(head, name)]
        if lacks:
            raise ConfigError(f"{kind} has no {' and no '.join(lacks)}; see Head in harness/protocols.py")
        self.features = features
        self.head: Any = head  # of the two protocols, it may have only one

    def loss(self, batch: Batch) -> Tensor:
        """Return the training loss of a batch, a scalar: the loss of the head plus the penalty of the mixes."""
        vectors, batch = self._vectors(batch)
        loss = self.head.loss(vectors, batch)
        if not isinstance(loss, Tensor) or loss.shape != ():
            found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
            raise HarnessError(f"{type(self.head).__name__}.loss returned {found}; expected a scalar tensor")
        total: Tensor = loss + self.features.penalty()
        if total.shape != ():
            raise HarnessError(f"a mix returned a penalty of shape {tuple(total.shape)}; expected a scalar")
        return total

    def observe(self, batch: Batch) -> None:
        """Let a ``Fitted`` head learn from a batch."""
        self.head.observe(*self._vectors(batch))

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return one prediction per row of a batch."""
        vectors, batch = self._vectors(batch)
        predictions: list[Prediction] = self.head.predict(vectors, batch)
        return predictions

    def _vectors(self, batch: Batch) -> tuple[Mapping[str, TokenVectors], Batch]:
        """Return the token vectors of a batch, and the batch itself, both on the device of this model."""
        device = str(next(chain(self.parameters(), self.buffers())).device)
        layers = {text: read.to(device, non_blocking=True) for text, read in self.features.read(batch).items()}
        batch = batch.to(device)
        return self.features(layers, batch), batch

    def trained(self) -> dict[str, Tensor]:
        """Return everything that training changes, by name: trained parameters, and buffers such as running means."""
        frozen = {name for name, parameter in self.named_parameters() if not parameter.requires_grad}
        return {name: tensor.detach() for name, tensor in self.state_dict().items() if name not in frozen}

    def num_parameters(self) -> int:
        """Return the number of trained values."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def load_trained(self, tensors: Mapping[str, Tensor]) -> None:
        """Set everything that training changes, from what ``trained`` has returned.

        Raises:
            ValueError: The names or shapes are not those of this model.
        """
        check_layout(self.trained(), tensors)
        self.load_state_dict(tensors, strict=False)


def assembled(
    *,
    task: Task,
    source: LayerSource | PortionOfLayers | None,
    static: StaticVectors | None,
    mixing: MixingConfig,
    vocabulary: Collection[str],
    plugins: Sequence[str],
) -> Model:
    """Return an untrained model; torch's seed determines its initial values.

    Args:
        task: The task, which builds the head.
        source: Where layers are read; None without an encoder.
        static: The static vectors, or None.
        mixing: How the encoder's layers become one vector per token.
        vocabulary: The words whose static vectors are needed.
        plugins: Modules that the mix may come from.

    Raises:
        HarnessError: Encoder, mix, static vectors and head do not fit together.
    """
    make_mix = None
    if source is not None:
        dims = {"num_layers": source.encoder.num_layers, "dim": source.encoder.dim}
        make_mix = partial(build, mixing.mix, kind=nn.Module, where="mixing", plugins=plugins, supplied=dims)
    features = TokenFeatures(
        source=source,
        make_mix=make_mix,
        placement=mixing.placement,
        mix_dropout=mixing.dropout,
        static=static,
        vocabulary=vocabulary,
    )
    head = task.build_head(input_dim=features.input_dim, output_dim=features.output_dim)
    if isinstance(head, Fitted):
        _fix(features, task.name)
    return Model(features=features, head=head)


def _fix(features: TokenFeatures, task: str) -> None:
    """Refuse features that have something to learn, because a ``Fitted`` head trains nothing; gamma alone stays 1."""
    for name, parameter in features.named_parameters():
        if parameter.requires_grad and name.rpartition(".")[2] != "gamma":
            raise ConfigError(
                f"task={task} learns without gradients, so {name} would not be trained; choose mixing=top, mean, "
                "layer_0, layer_1 or concat, and static vectors with trainable=false"
            )
        parameter.requires_grad_(False)


def check_layout(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types of tensors.

    Args:
        expected: The tensors of this program, by name.
        tensors: The tensors of a file.

    Raises:
        ValueError: They differ.
    """
    layouts = [{name: (tuple(one.shape), one.dtype) for name, one in some.items()} for some in (expected, tensors)]
    for name in sorted(layouts[0].keys() | layouts[1].keys()):
        ours, theirs = (f"{layout[name]}" if name in layout else "missing" for layout in layouts)
        if ours != theirs:
            raise ValueError(f"its tensor '{name}' is {theirs}; the model's is {ours}")
