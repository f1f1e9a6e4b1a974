"""Long short-term memories along a sequence, in one or several layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("lstm")


def with_parameters(cell, torch, suffix):
    """The cell with PyTorch's parameters: it has only one bias where PyTorch adds two."""
    weights = (torch[f"weight_ih_{suffix}"], torch[f"weight_hh_{suffix}"])
    cell = eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh), cell, weights)
    if cell.bias is None:
        return cell
    return eqx.tree_at(lambda cell: cell.bias, cell, torch[f"bias_ih_{suffix}"] + torch[f"bias_hh_{suffix}"])


def from_torch(torch, case):
    num_layers, bidirectional, bias = (eval(word) for word in case.split("-")[:3])
    stack: Any = eqx.nn.LSTM(3, 2, num_layers, bidirectional, bias=bias, dtype=torch["xs"].dtype, key=key)
    for i, layer in enumerate(stack.layers):
        for j, rnn in enumerate(layer):
            cell = with_parameters(rnn.cell, torch, f"l{i}" + "_reverse" * j)
            stack = eqx.tree_at(lambda stack, i=i, j=j: stack.layers[i][j].cell, stack, cell)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if eqx.is_array(leaf) else leaf, stack)


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does_for_sequences_of_different_lengths(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["xs"].dtype == np.float64):
        stack = from_torch(torch, case)
        xs, hidden = jnp.asarray(torch["xs"]), jax.tree.map(lambda h: jnp.swapaxes(h, 0, 1), (torch["h0"], torch["c0"]))

        @jax.jit
        @jax.vmap
        def read(xs, hidden, length):
            return {"whole": stack(xs, hidden), "packed": stack(xs, hidden, length=length)}

        for kind, found in read(xs, hidden, torch["lengths"]).items():
            check(kind, found, torch)


def check(kind, found, torch):
    ys, (h, c) = found
    for name, value in {"ys": ys, "h": jnp.swapaxes(h, 0, 1), "c": jnp.swapaxes(c, 0, 1)}.items():
        expected = torch[f"{kind}_{name}"]
        assert value.dtype == expected.dtype
        np.testing.assert_allclose(value, expected, **tolerance(expected))


def test_a_hidden_state_that_is_no_pair_is_an_error():
    with pytest.raises(ValueError, match=r"`hidden` of `LSTM` must be a pair `\(h, c\)`, found 3 items"):
        eqx.nn.LSTM(3, 2, key=key)(jnp.ones((5, 3)), [jnp.ones((1, 2))] * 3)
