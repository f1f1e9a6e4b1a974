"""How big a model is."""

import jax
import jax.numpy as jnp

import equinox as eqx


def test_only_floating_point_and_complex_numbers_are_parameters():
    model = {
        "a": jnp.ones((2, 3)),
        "b": [jnp.ones(4, complex), jnp.ones(5, int), "text", 1.0],
        "key": jax.random.key(0),
    }
    assert eqx.nn.count_params(model) == 10


def test_shapes_count_like_arrays():
    assert eqx.nn.count_params(eqx.filter_eval_shape(eqx.nn.Linear, 3, 2, key=jax.random.key(0))) == 8


def test_the_summary_is_the_one_of_the_core():
    assert eqx.nn.summary is eqx.tree_summary
