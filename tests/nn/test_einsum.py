"""A linear layer that is written as an equation."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("einsum")


@pytest.mark.parametrize("equation", RECORDED)
def test_it_computes_what_pytorch_does(equation):
    torch = RECORDED[equation]
    x, weight, bias = torch["x"], torch["weight"], torch["bias"]
    with jax.enable_x64(x.dtype == np.float64):
        layer = eqx.nn.Einsum(equation, weight.shape, dtype=x.dtype, key=key)
        assert layer.bias is not None
        assert layer.bias.size == bias.size
        layer = eqx.tree_at(lambda e: (e.weight, e.bias), layer, (weight, bias.reshape(layer.bias.shape)))
        with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
            y = eqx.filter_jit(layer)(jnp.asarray(x))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_the_limit_of_the_initial_parameters_counts_the_terms_of_the_sum():
    layer = eqx.nn.Einsum("hij,hijo->oh", (2, 5, 20, 4), key=key)
    weight_key, bias_key = jax.random.split(key)
    assert jnp.array_equal(layer.weight, jax.random.uniform(weight_key, (2, 5, 20, 4), minval=-0.1, maxval=0.1))
    assert jnp.array_equal(layer.bias, jax.random.uniform(bias_key, (4, 2), minval=-0.1, maxval=0.1))


def test_an_ellipsis_stands_for_any_number_of_axes():
    layer = eqx.nn.Einsum("a...b, bc -> ...ca", (3, 4), key=key)
    assert layer.equation == "a...b,bc->...ca"
    for middle in [(), (5,), (5, 6)]:
        x = jnp.ones((2, *middle, 3))
        expected = jnp.einsum("a...b,bc->...ca", x, layer.weight) + layer.bias[:, None]
        np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "complex64"])
def test_parameters_and_results_have_the_dtype(dtype):
    layer = eqx.nn.Einsum("i,io->o", (3, 4), dtype=dtype, key=key)
    assert layer(jnp.ones(3, dtype)).dtype == dtype


def test_the_bias_may_be_left_out_and_taken_out():
    assert eqx.nn.Einsum("i,io->o", (3, 4), bias=False, key=key).bias is None
    layer = eqx.tree_at(lambda layer: layer.bias, eqx.nn.Einsum("i,io->o", (3, 4), key=key), None)
    assert not jnp.any(layer(jnp.zeros(3)))


def test_options_are_static_plain_and_hashable():
    shape: Any = [np.int64(3), 4]
    layer = eqx.nn.Einsum("i,io->o", shape, key=key)
    assert layer.shape == (3, 4)
    hash(jax.tree.structure(layer))


@pytest.mark.parametrize(
    ("equation", "shape", "name", "reason"),
    [
        ("ij", (3,), "equation", "input,weight->result"),
        ("i,j,k->ijk", (3,), "equation", "input,weight->result"),
        ("i,j...->ij...", (3,), "equation", "input,weight->result"),
        ("i,jj->ij", (3, 3), "equation", "repeat an axis of the weight"),
        ("i,j->ijj", (3,), "equation", "repeat an axis of the result"),
        ("i,io->op", (3, 4), "equation", "'i,io->op'"),
        ("...i,io->o", (3, 4), "equation", "`...`"),
        ("i,io->o", (3,), "shape", "2 sizes"),
        ("i,io->o", (3, -4), "shape", "-4"),
    ],
)
def test_a_bad_equation_or_shape_is_an_error(equation, shape, name, reason):
    with pytest.raises(ValueError, match=f"`{name}`") as info:
        eqx.nn.Einsum(equation, shape, key=key)
    assert reason in str(info.value)


@pytest.mark.parametrize(
    ("equation", "shape"),
    [("ti,io->to", (3,)), ("ti,io->to", (5, 4)), ("ti,io->to", (1, 5, 3)), ("t...i,io->t...o", (3,))],
)
def test_an_input_with_other_axes_is_an_error(equation, shape):
    with pytest.raises(ValueError, match=r"`x` of `Einsum` must have the axes.*i of length 3") as info:
        eqx.nn.Einsum(equation, (3, 4), key=key)(jnp.ones(shape))
    assert f"found shape {shape}" in str(info.value)
