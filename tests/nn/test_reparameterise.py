"""Layers that are called with another weight than their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn._reparameterise import call_with_weight, weight_of


def test_a_layer_is_called_with_another_weight_and_keeps_its_own():
    linear = eqx.nn.Linear(2, 2, use_bias=False, key=jax.random.key(0))
    own = linear.weight
    assert jnp.array_equal(call_with_weight(linear, "weight", jnp.eye(2), jnp.array([3.0, 4.0])), jnp.array([3.0, 4.0]))
    assert weight_of(linear, "weight") is own


def test_a_weight_that_is_a_numpy_array_becomes_one_of_jax():
    linear = eqx.tree_at(lambda layer: layer.weight, eqx.nn.Linear(2, 2, key=jax.random.key(0)), np.ones((2, 2)))
    assert isinstance(weight_of(linear, "weight"), jax.Array)


@pytest.mark.parametrize("name", ["in_features", "bias"])
def test_something_else_than_an_array_is_an_error_that_names_it(name):
    linear = eqx.nn.Linear("scalar", 2, use_bias=False, key=jax.random.key(0))
    with pytest.raises(ValueError, match=rf"`weight_name`.*`{name}` of `Linear`"):
        weight_of(linear, name)
