"""The building block of most transformers."""

import jax
import jax.numpy as jnp
import numpy as np

import equinox as eqx

key = jax.random.key(0)


def test_each_sublayer_is_made_with_its_own_part_of_the_key():
    layer = eqx.nn.TransformerEncoderLayer(8, 2, 6, gated=True, dropout=0.1, use_bias=False, num_kv_heads=1, key=key)
    attention_key, feed_forward_key = jax.random.split(key)
    attention = eqx.nn.MultiheadAttention(2, 8, dropout_p=0.1, num_kv_heads=1, key=attention_key)
    feed_forward = eqx.nn.GatedFeedForward(8, 6, 0.1, jax.nn.relu, use_bias=False, key=feed_forward_key)
    assert eqx.tree_equal(layer.self_attention, attention)
    assert eqx.tree_equal(layer.feed_forward, feed_forward)


def test_batches_are_made_by_vmap():
    layer = eqx.nn.TransformerEncoderLayer(8, 2, key=key)
    xs = jax.random.normal(key, (3, 5, 8))
    ys = eqx.filter_jit(jax.vmap(layer))(xs)
    np.testing.assert_allclose(ys[1], layer(xs[1]), rtol=1e-4, atol=1e-5)


def test_the_elements_are_treated_alike_unless_there_are_positions():
    x, order = jax.random.normal(key, (5, 8)), jnp.array([3, 1, 0, 4, 2])
    plain = eqx.nn.TransformerEncoderLayer(8, 2, key=key)
    np.testing.assert_allclose(plain(x[order]), plain(x)[order], rtol=1e-4, atol=1e-5)
    rotary = eqx.nn.TransformerEncoderLayer(8, 2, rope=True, key=key)
    assert not jnp.allclose(rotary(x[order]), rotary(x)[order], atol=1e-3)
