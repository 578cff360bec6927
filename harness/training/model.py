"""Features and head as one trainable module."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.features.token_features import TokenFeatures
from harness.protocols import Head
from harness.types import Batch, Prediction


class Model(nn.Module):
    """Token features with a task head on top.

    Args:
        features: what every head stands on.
        head: the task's own part.
    """

    def __init__(self, *, features: TokenFeatures, head: Head) -> None:
        super().__init__()
        assert isinstance(head, nn.Module)
        self.features, self.head = features, head

    def read(self, batch: Batch, device: str) -> dict[str, Tensor]:
        """Read the layers of a batch and bring them to ``device``."""
        return {text: layers.to(device, non_blocking=True) for text, layers in self.features.read(batch).items()}

    def loss(self, layers: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Return the training loss: the head's, and the penalty of the mixes."""
        loss: Tensor = self.head.loss(self.features(layers, batch), batch) + self.features.penalty()
        return loss

    def predict(self, layers: Mapping[str, Tensor], batch: Batch) -> list[Prediction]:
        """Return one prediction a row."""
        predictions: list[Prediction] = self.head.predict(self.features(layers, batch), batch)
        return predictions

    def trained(self) -> dict[str, Tensor]:
        """Return everything that training changes, by name: trained parameters, and buffers such as running means."""
        frozen = {name for name, parameter in self.named_parameters() if not parameter.requires_grad}
        return {name: tensor.detach() for name, tensor in self.state_dict().items() if name not in frozen}

    def num_parameters(self) -> int:
        """Return how many numbers are trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def load_trained(self, tensors: Mapping[str, Tensor]) -> None:
        """Set everything that training changes.

        Raises:
            KeyError: the names are not this model's.
        """
        own = self.trained()
        if own.keys() != tensors.keys():
            raise KeyError(f"parameters differ: {sorted(own.keys() ^ tensors.keys())}")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])
