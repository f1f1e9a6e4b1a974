"""Embeddings and attention: what they are made from, what they hold, what they return."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import equinox as eqx


def embedding(layer: eqx.nn.Embedding, x: Array, key: Array) -> None:
    assert_type(eqx.nn.Embedding(10, 3, key=key), eqx.nn.Embedding)
    assert_type(eqx.nn.Embedding(weight=x), eqx.nn.Embedding)
    assert_type(layer.weight, Array)
    assert_type(layer.num_embeddings, int)
    assert_type(layer.embedding_size, int)
    assert_type(layer(x, key=key), Array)
    assert_type(layer(3), Array)
    assert_type(layer(np.int64(3)), Array)


def rotary(layer: eqx.nn.RotaryPositionalEmbedding, x: Array, key: Array) -> None:
    assert_type(
        eqx.nn.RotaryPositionalEmbedding(4, theta=500_000, dtype=jnp.bfloat16), eqx.nn.RotaryPositionalEmbedding
    )
    assert_type(layer(x, positions=x, key=key), Array)
    assert_type(layer.embedding_size, int)
    assert_type(layer.theta, float)
    assert_type(layer.dtype, np.dtype[Any])
    assert_type(layer.rotate_half(x), Array)
    assert_type(eqx.nn.RotaryPositionalEmbedding.precompute_freqs_cis(4, 5, 1e4, "float32"), tuple[Array, Array])


def attention(layer: eqx.nn.MultiheadAttention, x: Array, key: Array) -> None:
    assert_type(eqx.nn.MultiheadAttention(2, 8, key=key), eqx.nn.MultiheadAttention)
    assert_type(eqx.nn.MultiheadAttention(2, 8, dropout_p=0.1, deterministic=True, key=key), eqx.nn.MultiheadAttention)
    assert_type(layer(x, x, x), Array)
    assert_type(layer(x, x, x, x > 0, key=key, inference=False), Array)
    assert_type(layer(x, x, x, process_heads=lambda q, k, v: (jnp.sin(q), k, v)), Array)
    assert_type(layer.query_proj, eqx.nn.Linear)
    assert_type(layer.output_proj.bias, Array | None)
    assert_type(layer.dropout, eqx.nn.Dropout)
    assert_type(layer.num_heads, int)
    assert_type(layer.qk_size, int)
    assert_type(layer.use_query_bias, bool)
    assert_type(jax.vmap(layer)(x, x, x), Array)  # gap: zuban(partial)
    assert_type(eqx.tree_at(lambda layer: layer.dropout.inference, layer, True), eqx.nn.MultiheadAttention)
