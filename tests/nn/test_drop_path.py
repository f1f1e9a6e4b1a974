"""Forgetting the whole input."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)


@pytest.mark.parametrize("p", [0.25, jnp.float32(0.25)])
def test_the_input_is_dropped_as_a_whole_or_divided_by_the_probability_of_keeping_it(p):
    x = jnp.array([[1.0, jnp.nan], [3.0, jnp.inf]])
    drop_path = eqx.nn.DropPath(p)
    keys = jax.random.split(key, 1000)
    ys = jax.jit(jax.vmap(lambda key: drop_path(x, key=key)))(keys)
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 0.75, (1, 1)))(keys)
    assert jnp.array_equal(ys, jnp.where(kept, x / 0.75, 0), equal_nan=True)
    assert 0.7 < kept.mean() < 0.8


def test_probability_and_flag_are_leaves_and_the_flag_has_two_names():
    assert jax.tree.leaves(eqx.nn.DropPath(0.3)) == [0.3, False]
    assert eqx.nn.DropPath(0.3, True).deterministic
    assert eqx.nn.DropPath(0.3, deterministic=True).inference
    assert eqx.nn.inference_mode(eqx.nn.DropPath(0.3)).inference


def test_at_inference_time_and_without_probability_the_output_is_the_input_itself():
    x = jnp.ones(3)
    assert eqx.nn.DropPath(0.3, inference=True)(x) is x
    assert eqx.nn.DropPath(0.3)(x, inference=True) is x
    assert eqx.nn.DropPath(0.3)(x, deterministic=True) is x
    assert eqx.nn.DropPath(0)(x) is x
    with pytest.raises(ValueError, match=r"`inference=True`.*`deterministic=False`"):
        eqx.nn.DropPath(0.3)(x, inference=True, deterministic=False)


def test_a_missing_key_is_an_error_that_names_the_layer():
    with pytest.raises(RuntimeError, match=r"`DropPath`.*`key`"):
        eqx.nn.DropPath(0.3)(jnp.ones(3))


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_number_that_is_no_probability_is_an_error(p):
    with pytest.raises(ValueError, match=f"`p`.*{p}"):
        eqx.nn.DropPath(p)


def test_if_all_is_dropped_the_gradient_is_zero():
    gradient = jax.grad(lambda x: jnp.sum(eqx.nn.DropPath(1.0)(x, key=key)))(jnp.ones(3))
    assert jnp.array_equal(gradient, jnp.zeros(3))


@pytest.mark.parametrize("dtype", ["bfloat16", "complex64", "int32"])
def test_the_dtype_is_kept_unless_it_is_an_integer_one(dtype):
    y = eqx.nn.DropPath(0.5)(jnp.ones(2, dtype), key=key)
    assert y.dtype == (np.float32 if dtype == "int32" else jnp.dtype(dtype))


def test_it_can_stand_in_a_sequence():
    layers: Any = [eqx.nn.Linear(2, 2, key=key), eqx.nn.DropPath(1.0)]
    assert jnp.array_equal(eqx.nn.Sequential(layers)(jnp.ones(2), key=key), jnp.zeros(2))
