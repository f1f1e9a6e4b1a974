"""Weights as lengths and directions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("weight_norm")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    axis = None if case.startswith("None") else int(case[0])
    with jax.enable_x64(torch["x"].dtype == np.float64):
        linear = eqx.nn.Linear(3, 4, key=key)
        parameters = (jnp.asarray(torch["v"]), jnp.asarray(torch["bias"]))
        linear = eqx.tree_at(lambda layer: (layer.weight, layer.bias), linear, parameters)
        norm = eqx.nn.WeightNorm(linear, axis=axis)
        assert norm.g.size == torch["g"].size
        norm = eqx.tree_at(lambda norm: norm.g, norm, jnp.asarray(torch["g"]).reshape(norm.g.shape))
        y = norm(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize(("axis", "shape"), [(0, (4, 1)), (1, (1, 3)), (-1, (1, 3)), (-2, (4, 1)), (None, (1, 1))])
def test_there_is_a_length_for_each_index_of_the_axis(axis, shape):
    linear = eqx.nn.Linear(3, 4, key=key)
    norm = eqx.nn.WeightNorm(linear, axis=axis)
    assert norm.axis == axis
    assert norm.g.shape == shape
    axes = tuple(i for i in (0, 1) if shape[i] == 1)
    np.testing.assert_allclose(norm.g, np.sqrt(np.sum(np.asarray(linear.weight) ** 2, axes, keepdims=True)), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, -1, None])
@pytest.mark.parametrize("dtype", ["float32", "complex64", "bfloat16"])
def test_it_starts_as_the_layer_itself(axis, dtype):
    linear = eqx.nn.Linear(3, 4, dtype=dtype, key=key)
    norm = eqx.nn.WeightNorm(linear, axis=axis)
    x = jnp.arange(3).astype(dtype)
    with jax.numpy_dtype_promotion("strict"):
        y = norm(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, linear(x), rtol=2e-2 if dtype == "bfloat16" else 1e-5, atol=1e-6)
    assert not jnp.iscomplexobj(norm.g)


def test_another_attribute_can_be_normalised():
    cell = eqx.nn.GRUCell(2, 3, key=key)
    assert eqx.nn.WeightNorm(cell, "weight_hh").g.shape == (9, 1)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_the_weight_has_not_is_an_error(axis):
    with pytest.raises(ValueError, match=rf"`axis`.*\(4, 3\).*{axis}"):
        eqx.nn.WeightNorm(eqx.nn.Linear(3, 4, key=key), axis=axis)


def test_a_missing_weight_is_an_error():
    linear: Any = eqx.nn.Linear(3, 4, use_bias=False, key=key)
    with pytest.raises(AttributeError, match="wieght"):
        eqx.nn.WeightNorm(linear, "wieght")
    with pytest.raises(ValueError, match=r"`bias` of `Linear`.*None"):
        eqx.nn.WeightNorm(linear, "bias")


def test_equal_layers_are_equal_compile_once_and_can_enter_jax_jit():
    traces = 0

    @jax.jit
    def call(norm, x):
        nonlocal traces
        traces += 1
        return norm(x)

    first, second = (eqx.nn.WeightNorm(eqx.nn.Linear(3, 4, key=key)) for _ in range(2))
    assert eqx.tree_equal(first, second)
    assert jnp.array_equal(call(first, jnp.ones(3)), call(second, jnp.ones(3)))
    assert traces == 1


def test_derivatives_agree_with_finite_differences_for_lengths_and_directions():
    with jax.enable_x64(True):
        norm = eqx.nn.WeightNorm(eqx.nn.Linear(3, 2, key=key))
        check_grads(lambda norm: norm(jnp.arange(3.0)), (norm,), order=1, modes=["fwd", "rev"])
        gradient: Any = jax.grad(lambda norm: norm(jnp.arange(3.0)).sum())(norm)
        assert jnp.any(gradient.g != 0)
        assert jnp.any(gradient.layer.weight != 0)


def test_a_row_of_zeros_stays_zero_with_a_finite_gradient():
    linear = eqx.tree_at(lambda layer: layer.weight, eqx.nn.Linear(3, 2, use_bias=False, key=key), jnp.zeros((2, 3)))
    norm = eqx.nn.WeightNorm(linear)
    assert jnp.array_equal(norm(jnp.ones(3)), jnp.zeros(2))
    gradient = jax.grad(lambda norm: norm(jnp.ones(3)).sum())(norm)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
