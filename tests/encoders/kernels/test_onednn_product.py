"""The products of training equal the public ones of torch, in value and gradient, with and without oneDNN."""

import pytest
import torch

from harness.encoders.kernels import onednn_product
from harness.encoders.kernels.onednn_product import linear, matmul


@pytest.mark.parametrize("offered", [onednn_product.OFFERED, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_values_and_gradients_are_those_of_the_public_product(
    offered: bool, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onednn_product, "OFFERED", offered)
    generator = torch.Generator().manual_seed(0)
    left, whole = (torch.randn(size, generator=generator, dtype=kind) for size in ((7, 33), (40, 33)))
    results = []
    for multiply in (matmul, torch.matmul):
        given = [tensor.clone().requires_grad_() for tensor in (left, whole)]
        output = multiply(given[0], given[1].t()[:, 3:])  # a slice that is not contiguous, such as that of a weight
        output.square().sum().backward()
        results.append([output.detach(), *(tensor.grad for tensor in given)])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)
    bias = torch.randn(40, generator=generator, dtype=kind)
    torch.testing.assert_close(linear(left, whole, bias), left @ whole.t() + bias)


def test_a_frozen_factor_has_no_gradient() -> None:
    left, right = torch.randn(5, 4), torch.randn(4, 3, requires_grad=True)
    matmul(left, right).sum().backward()
    assert left.grad is None
    torch.testing.assert_close(right.grad, left.sum(dim=0).unsqueeze(1).expand(4, 3))


def test_autocast_chooses_the_type_of_the_product() -> None:
    left, right = torch.randn(5, 4), torch.randn(4, 3, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert matmul(left, right).dtype == torch.bfloat16
        assert linear(left, right.t()).dtype == torch.bfloat16
    assert matmul(left, right).dtype == torch.float32
