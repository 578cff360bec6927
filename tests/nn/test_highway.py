"""Highway layers, checked against their formula."""

import torch

from harness.nn.highway import Highway


def test_each_dimension_is_gated() -> None:
    torch.manual_seed(0)
    highway, vectors = Highway(dim=3, num_layers=2).double(), torch.randn(4, 5, 3, dtype=torch.float64)
    output = highway(vectors)
    for row in range(4):
        for token in range(5):
            x = vectors[row, token]
            for layer in highway.layers:
                rows = zip(layer.weight, layer.bias, strict=True)
                out = [sum(w * v for w, v in zip(ws, x, strict=True)) + b for ws, b in rows]
                gates = [1 / (1 + torch.exp(-o)) for o in out[3:]]
                x = [g * v + (1 - g) * max(o, 0) for g, v, o in zip(gates, x, out[:3], strict=True)]
            torch.testing.assert_close(output[row, token], torch.stack(x))


def test_a_new_layer_passes_on_most_of_its_input_and_zero_layers_all_of_it() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(2, 3, 8)
    assert Highway(dim=8, num_layers=0)(vectors) is vectors
    gates = Highway(dim=8, num_layers=1).layers[0](torch.zeros(1, 8))[0, 8:]
    assert gates.tolist() == [1.0] * 8


def test_gradients_reach_every_parameter() -> None:
    highway = Highway(dim=4, num_layers=2)
    highway(torch.randn(2, 3, 4)).square().sum().backward()
    assert all(p.grad.any() for p in highway.parameters())
