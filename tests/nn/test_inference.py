"""Switching layers between training and inference."""

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx

key = jax.random.key(0)


def test_it_is_the_function_for_trees():
    assert eqx.nn.inference_mode is eqx.tree_inference


@pytest.mark.parametrize("value", [True, False])
def test_every_layer_with_a_mode_is_switched_wherever_it_is(value):
    norm = eqx.nn.BatchNorm(2, "batch", inference=not value, mode="ema")
    dropout = eqx.nn.Dropout(0.5, not value)
    linear = eqx.nn.Linear(2, 2, key=key)
    wrapped = eqx.nn.SpectralNorm(linear, "weight", inference=not value, key=key)
    model = eqx.nn.inference_mode({"a": [norm, wrapped], "b": eqx.nn.Sequential([dropout, linear])}, value)
    assert model["a"][0].inference is value
    assert model["a"][1].inference is value
    assert model["b"].layers[0].inference is value


def test_a_switched_dropout_needs_no_key():
    model = eqx.nn.Sequential([eqx.nn.Dropout(0.5)])
    assert jnp.array_equal(eqx.nn.inference_mode(model)(jnp.ones(3)), jnp.ones(3))
    with pytest.raises(RuntimeError, match="key"):
        eqx.nn.inference_mode(eqx.nn.inference_mode(model), False)(jnp.ones(3))
