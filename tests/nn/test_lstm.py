"""One step of a long short-term memory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("lstm_cell")


def from_torch(torch):
    """The cell with PyTorch's parameters: it has only one bias where PyTorch adds two."""
    rows, columns = torch["weight_ih"].shape
    cell: Any = eqx.nn.LSTMCell(columns, rows // 4, bias="bias_ih" in torch, dtype=torch["xs"].dtype, key=key)
    cell = eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh), cell, (torch["weight_ih"], torch["weight_hh"]))
    if "bias_ih" in torch:
        cell = eqx.tree_at(lambda cell: cell.bias, cell, torch["bias_ih"] + torch["bias_hh"])
    return jax.tree.map(jnp.asarray, cell)


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does_for_a_whole_sequence(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["xs"].dtype == np.float64):
        cell = from_torch(torch)

        def step(hidden, x):
            hidden = cell(x, hidden)
            return hidden, hidden

        _, (hs, cs) = jax.lax.scan(step, (jnp.asarray(torch["h0"]), jnp.asarray(torch["c0"])), torch["xs"])
        assert hs.dtype == cs.dtype == torch["hs"].dtype
        np.testing.assert_allclose(hs, torch["hs"], **tolerance(torch["hs"]))
        np.testing.assert_allclose(cs, torch["cs"], **tolerance(torch["cs"]))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("bias", [True, False])
def test_it_follows_the_formula(bias, dtype):
    cell = eqx.nn.LSTMCell(3, 4, bias, dtype, key=key)
    random = np.random.default_rng(0)
    x, h, c = (random.normal(size=n).astype(dtype) for n in (3, 4, 4))
    if dtype == "complex64":
        x, h, c = x * np.exp(1j), h * np.exp(2j), c * np.exp(3j)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    gates = cell.weight_ih @ x + cell.weight_hh @ h + (jnp.zeros(()) if cell.bias is None else cell.bias)
    i, f, g, o = np.split(np.asarray(gates), 4)
    new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    out = cell(jnp.asarray(x, dtype), (jnp.asarray(h, dtype), jnp.asarray(c, dtype)))
    assert {array.dtype for array in out} == {np.dtype(dtype)}
    np.testing.assert_allclose(out[0], sigmoid(o) * np.tanh(new_c), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out[1], new_c, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("inputs", "size"), [(3, 4), (0, 2), (2, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_each_parameter_has_its_own_part_of_the_key(inputs, size, bias):
    cell = eqx.nn.LSTMCell(inputs, size, bias, key=key)
    limit = 1 / size**0.5
    shapes = {"weight_ih": (4 * size, inputs), "weight_hh": (4 * size, size), "bias": (4 * size,)}
    for part, (name, shape) in zip(jax.random.split(key, 3), shapes.items(), strict=True):
        if "weight" in name or bias:
            expected = jax.random.uniform(part, shape, "float32", minval=-limit, maxval=limit)
            assert jnp.array_equal(getattr(cell, name), expected)
        else:
            assert getattr(cell, name) is None


def test_the_hidden_state_may_be_empty():
    h, c = eqx.nn.LSTMCell(3, 0, key=key)(jnp.ones(3), (jnp.ones(0), jnp.ones(0)))
    assert h.shape == c.shape == (0,)


def test_there_may_be_no_inputs():
    h, c = eqx.nn.LSTMCell(0, 4, key=key)(jnp.ones(0), (jnp.ones(4), jnp.ones(4)))
    assert h.shape == c.shape == (4,)


def test_the_hidden_state_may_be_any_sequence_and_a_tuple_is_returned():
    cell = eqx.nn.LSTMCell(3, 4, key=key)
    x, h, c = jnp.ones(3), jnp.arange(4.0), jnp.ones(4)
    expected = cell(x, (h, c))
    assert type(expected) is tuple
    others: list[Any] = [[h, c], jnp.stack([h, c])]
    for hidden in others:
        out = cell(x, hidden)
        assert type(out) is tuple
        assert all(map(jnp.array_equal, out, expected))


def test_a_bias_that_is_replaced_by_none_is_not_added():
    cell = eqx.nn.LSTMCell(3, 4, key=key)
    x, hidden = jnp.arange(3.0), (jnp.arange(4.0), jnp.ones(4))
    without = eqx.tree_at(lambda cell: cell.bias, cell, None)
    with_zeros = eqx.tree_at(lambda cell: cell.bias, cell, jnp.zeros(16))
    assert without.use_bias
    assert all(map(jnp.array_equal, without(x, hidden), with_zeros(x, hidden)))


@pytest.mark.parametrize("size", [-1, 2.5, "scalar"])
def test_a_bad_size_is_an_error_that_names_it(size):
    with pytest.raises(ValueError, match="`input_size`"):
        eqx.nn.LSTMCell(size, 2, key=key)
    with pytest.raises(ValueError, match="`hidden_size`"):
        eqx.nn.LSTMCell(2, size, key=key)


@pytest.mark.parametrize("i", [0, 1])
def test_a_hidden_state_of_another_shape_is_an_error_that_says_which_half(i):
    hidden = [jnp.ones(4), jnp.ones(4)]
    hidden[i] = jnp.ones((5, 4))
    with pytest.raises(ValueError, match=rf"`hidden`, leaf `\[{i}\]` of `LSTMCell`.*\(4,\).*\(5, 4\).*jax.vmap"):
        eqx.nn.LSTMCell(3, 4, key=key)(jnp.ones(3), hidden)


@pytest.mark.parametrize("hidden", [(jnp.ones(4),), (jnp.ones(4),) * 3, jnp.ones(4)])
def test_a_hidden_state_that_is_no_pair_is_an_error(hidden):
    with pytest.raises(ValueError, match=rf"`hidden` of `LSTMCell` must be a pair.*found {len(hidden)}"):
        eqx.nn.LSTMCell(3, 4, key=key)(jnp.ones(3), hidden)
