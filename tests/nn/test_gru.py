"""One step of a gated recurrent unit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("gru_cell")


def from_torch(torch):
    """The cell with PyTorch's parameters: it has only one bias where PyTorch adds two."""
    rows, columns = torch["weight_ih"].shape
    size = rows // 3
    cell: Any = eqx.nn.GRUCell(columns, size, bias="bias_ih" in torch, dtype=torch["xs"].dtype, key=key)
    cell = eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh), cell, (torch["weight_ih"], torch["weight_hh"]))
    if "bias_ih" in torch:
        hidden = np.concatenate([torch["bias_hh"][: 2 * size], np.zeros(size, torch["xs"].dtype)])
        biases = (torch["bias_ih"] + hidden, torch["bias_hh"][2 * size :])
        cell = eqx.tree_at(lambda cell: (cell.bias, cell.bias_n), cell, biases)
    return jax.tree.map(jnp.asarray, cell)


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does_for_a_whole_sequence(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["xs"].dtype == np.float64):
        cell = from_torch(torch)

        def step(hidden, x):
            hidden = cell(x, hidden)
            return hidden, hidden

        _, hs = jax.lax.scan(step, jnp.asarray(torch["h0"]), torch["xs"])
        assert hs.dtype == torch["hs"].dtype
        np.testing.assert_allclose(hs, torch["hs"], **tolerance(torch["hs"]))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("bias", [True, False])
def test_it_follows_the_formula(bias, dtype):
    cell = eqx.nn.GRUCell(3, 4, bias, dtype, key=key)
    random = np.random.default_rng(0)
    x, h = (random.normal(size=n).astype(dtype) for n in (3, 4))
    if dtype == "complex64":
        x, h = x * np.exp(1j), h * np.exp(2j)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    zero = jnp.zeros(())
    i = np.split(np.asarray(cell.weight_ih @ x + (zero if cell.bias is None else cell.bias)), 3)
    g = np.split(np.asarray(cell.weight_hh @ h), 3)
    r, z = sigmoid(i[0] + g[0]), sigmoid(i[1] + g[1])
    n = np.tanh(i[2] + r * (g[2] + np.asarray(zero if cell.bias_n is None else cell.bias_n)))
    out = cell(jnp.asarray(x, dtype), jnp.asarray(h, dtype))
    assert out.dtype == dtype
    np.testing.assert_allclose(out, n + z * (h - n), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("inputs", "size"), [(3, 4), (0, 2), (2, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_each_parameter_has_its_own_part_of_the_key(inputs, size, bias):
    cell = eqx.nn.GRUCell(inputs, size, bias, key=key)
    limit = 1 / size**0.5
    shapes = {"weight_ih": (3 * size, inputs), "weight_hh": (3 * size, size), "bias": (3 * size,), "bias_n": (size,)}
    for part, (name, shape) in zip(jax.random.split(key, 4), shapes.items(), strict=True):
        if "weight" in name or bias:
            expected = jax.random.uniform(part, shape, "float32", minval=-limit, maxval=limit)
            assert jnp.array_equal(getattr(cell, name), expected)
        else:
            assert getattr(cell, name) is None


def test_the_hidden_state_may_be_empty():
    cell = eqx.nn.GRUCell(3, 0, key=key)
    assert cell(jnp.ones(3), jnp.ones(0)).shape == (0,)


def test_there_may_be_no_inputs():
    assert eqx.nn.GRUCell(0, 4, key=key)(jnp.ones(0), jnp.ones(4)).shape == (4,)


@pytest.mark.parametrize("names", [["bias"], ["bias_n"], ["bias", "bias_n"]])
def test_a_bias_that_is_replaced_by_none_is_not_added(names):
    cell = eqx.nn.GRUCell(3, 4, key=key)
    x, h = jnp.arange(3.0), jnp.arange(4.0)

    def replaced(value):
        return eqx.tree_at(lambda cell: [getattr(cell, name) for name in names], cell, [value(name) for name in names])

    without = replaced(lambda _: None)
    with_zeros = replaced(lambda name: jnp.zeros_like(getattr(cell, name)))
    assert without.use_bias
    assert jnp.array_equal(without(x, h), with_zeros(x, h))


@pytest.mark.parametrize("size", [-1, 2.5, "scalar"])
def test_a_bad_size_is_an_error_that_names_it(size):
    with pytest.raises(ValueError, match="`input_size`"):
        eqx.nn.GRUCell(size, 2, key=key)
    with pytest.raises(ValueError, match="`hidden_size`"):
        eqx.nn.GRUCell(2, size, key=key)


def test_a_wrong_hidden_state_is_an_error():
    with pytest.raises(ValueError, match=r"`hidden` of `GRUCell` must have shape \(4,\), found shape \(3,\)"):
        eqx.nn.GRUCell(3, 4, key=key)(jnp.ones(3), jnp.ones(3))
    with pytest.raises(ValueError, match=r"`hidden`.*jax\.vmap"):
        eqx.nn.GRUCell(3, 4, key=key)(jnp.ones(3), jnp.ones((5, 4)))
