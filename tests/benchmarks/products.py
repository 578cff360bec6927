"""The matrix products of a training step, computed alone: the limit that a head is compared with."""

from collections.abc import Callable

import torch

Product = tuple[int, int, int, int]  # number of times, rows, inner, columns


def products_alone(sizes: list[Product]) -> Callable[[], None]:
    """Return a function that computes each product, and the two products that its gradients need."""
    operands = [
        (times, torch.randn(rows, inner), torch.randn(inner, columns), torch.randn(rows, columns))
        for times, rows, inner, columns in sizes
    ]

    def compute() -> None:
        for times, left, right, grad in operands:
            for _ in range(times):
                left @ right
                grad @ right.T
                left.T @ grad

    return compute
