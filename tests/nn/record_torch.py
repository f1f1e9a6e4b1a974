"""Record what PyTorch computes, for the tests to compare with. The tests themselves do not need PyTorch.

In an environment with `torch==2.13.0` and `numpy`: `python tests/nn/record_torch.py`.

Each file in `tests/nn/data` holds a number of cases, and each case a number of arrays, named `case/array`.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found] # pyright: ignore[reportMissingImports] # see above

DTYPES = {"float32": torch.float32, "float64": torch.float64}
STEPS = 6

Cases = Iterator[tuple[str, dict[str, Any]]]


def parameters(module: Any) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in module.state_dict().items()}


def linear() -> Cases:
    for (rows, columns), bias, dtype in itertools.product([(1, 1), (4, 3), (1, 5), (2, 1)], [True, False], DTYPES):
        module = torch.nn.Linear(columns, rows, bias=bias, dtype=DTYPES[dtype])
        x = torch.randn(columns, dtype=DTYPES[dtype])
        yield f"{columns}-{rows}-{bias}-{dtype}", {**parameters(module), "x": x, "y": module(x)}


def gru_cell() -> Cases:
    for (inputs, size), bias, dtype in itertools.product([(1, 1), (3, 4), (5, 2)], [True, False], DTYPES):
        cell = torch.nn.GRUCell(inputs, size, bias=bias, dtype=DTYPES[dtype])
        xs = torch.randn(STEPS, inputs, dtype=DTYPES[dtype])
        h = h0 = torch.randn(size, dtype=DTYPES[dtype])
        hs = torch.stack([h := cell(x, h) for x in xs])
        yield f"{inputs}-{size}-{bias}-{dtype}", {**parameters(cell), "xs": xs, "h0": h0, "hs": hs}


def lstm_cell() -> Cases:
    for (inputs, size), bias, dtype in itertools.product([(1, 1), (3, 4), (5, 2)], [True, False], DTYPES):
        cell = torch.nn.LSTMCell(inputs, size, bias=bias, dtype=DTYPES[dtype])
        xs = torch.randn(STEPS, inputs, dtype=DTYPES[dtype])
        h0, c0 = torch.randn(2, size, dtype=DTYPES[dtype])
        states = [(h0, c0)]
        for x in xs:
            states.append(cell(x, states[-1]))
        hs, cs = (torch.stack(items) for items in zip(*states[1:], strict=True))
        yield f"{inputs}-{size}-{bias}-{dtype}", {**parameters(cell), "xs": xs, "h0": h0, "c0": c0, "hs": hs, "cs": cs}


def mlp() -> Cases:
    activations = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
    final_activations = {"identity": torch.nn.Identity, "softmax": lambda: torch.nn.Softmax(dim=0)}
    for depth, activation, final, dtype in itertools.product([0, 1, 3], activations, final_activations, DTYPES):
        sizes = [3, *[5] * depth, 2]
        layers = [torch.nn.Linear(a, b, dtype=DTYPES[dtype]) for a, b in itertools.pairwise(sizes)]
        modules = [layers[0]]
        for layer in layers[1:]:
            modules += [activations[activation](), layer]
        x = torch.randn(sizes[0], dtype=DTYPES[dtype])
        y = torch.nn.Sequential(*modules, final_activations[final]())(x)
        arrays = {f"weight{i}": layer.weight for i, layer in enumerate(layers)}
        arrays |= {f"bias{i}": layer.bias for i, layer in enumerate(layers)}
        yield f"{depth}-{activation}-{final}-{dtype}", {**arrays, "x": x, "y": y}


def prelu() -> Cases:
    for channels, dtype in itertools.product([1, 3], DTYPES):
        module = torch.nn.PReLU(channels, dtype=DTYPES[dtype])
        torch.nn.init.normal_(module.weight)
        x = torch.randn(1, channels, 2, 4, dtype=DTYPES[dtype])
        yield f"{channels}-{dtype}", {**parameters(module), "x": x[0], "y": module(x)[0]}


def dropout() -> Cases:
    # Two random streams: only the law can be compared.
    for p in [0.0, 0.1, 0.5, 0.9, 1.0]:
        x = torch.ones(100_000)
        y = torch.nn.Dropout(p)(x)
        yield f"{p}", {"p": torch.tensor(p, dtype=torch.float64), "kept": (y != 0).sum(), "values": y.unique()}


def main() -> None:
    """Write one file for each function above."""
    recorders: list[Callable[[], Cases]] = [linear, gru_cell, lstm_cell, mlp, prelu, dropout]
    data = Path(__file__).parent / "data"
    data.mkdir(exist_ok=True)
    for recorder in recorders:
        torch.manual_seed(0)
        with torch.no_grad():
            arrays = {f"{case}/{name}": value.numpy() for case, values in recorder() for name, value in values.items()}
        np.savez_compressed(data / f"{recorder.__name__}.npz", **arrays)


if __name__ == "__main__":
    main()
