"""An encoder layer with attention to another sequence in between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
x = jax.random.normal(key, (5, 8))
memory = jax.random.normal(jax.random.key(1), (3, 8))
LAYER = eqx.nn.TransformerDecoderLayer(8, 2, 6, key=key)


def test_each_sublayer_is_made_with_its_own_part_of_the_key():
    biases = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
    keys = jax.random.split(key, 3)
    assert eqx.tree_equal(LAYER.self_attention, eqx.nn.MultiheadAttention(2, 8, **biases, key=keys[0]))
    assert eqx.tree_equal(LAYER.cross_attention, eqx.nn.MultiheadAttention(2, 8, **biases, key=keys[1]))
    assert eqx.tree_equal(LAYER.feed_forward, eqx.nn.FeedForward(8, 6, key=keys[2]))


def test_an_element_sees_all_of_the_memory_and_nothing_that_comes_later():
    def from_element_1(x, memory):
        return jnp.sum(LAYER(x, memory)[1])

    of_x, of_memory = jax.jit(jax.grad(from_element_1, argnums=(0, 1)))(x, memory)
    assert [bool(jnp.any(jnp.abs(row) > 1e-6)) for row in of_x] == [True, True, False, False, False]
    assert all(jnp.any(jnp.abs(row) > 1e-6) for row in of_memory)


def test_the_memory_can_be_masked():
    mask = jnp.ones((5, 3), bool).at[:, 2].set(False)
    np.testing.assert_allclose(LAYER(x, memory, None, mask), LAYER(x, memory[:2]), rtol=1e-4, atol=1e-5)


def test_a_memory_of_another_size_is_an_error():
    with pytest.raises(ValueError, match=r"`memory` of `TransformerDecoderLayer` must have shape \(any, 8\)"):
        LAYER(x, jnp.ones((3, 4)))
