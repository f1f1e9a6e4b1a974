"""Transformers: what their layers are made from, what they hold, what they return."""

from typing import assert_type

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


def feed_forward(layer: eqx.nn.FeedForward, x: Array, key: Array) -> None:
    assert_type(eqx.nn.FeedForward(8, key=key), eqx.nn.FeedForward)
    assert_type(
        eqx.nn.FeedForward(8, 32, 0.1, jax.nn.gelu, bias=False, dtype=jnp.bfloat16, key=key), eqx.nn.FeedForward
    )
    assert_type(layer(x), Array)
    assert_type(layer(x, key=key, inference=False), Array)
    assert_type(layer.hidden, eqx.nn.Linear)
    assert_type(layer.ff_size, int)
    assert_type(layer.use_bias, bool)
    assert_type(layer.dropout, eqx.nn.Dropout)


def gated(layer: eqx.nn.GatedFeedForward, x: Array, key: Array) -> None:
    assert_type(eqx.nn.GatedFeedForward(8, activation=eqx.nn.PReLU(), key=key), eqx.nn.GatedFeedForward)
    assert_type(layer(x, deterministic=True), Array)
    assert_type(layer.gate.weight, Array)


def encoder(layer: eqx.nn.TransformerEncoderLayer, x: Array, key: Array) -> None:
    assert_type(eqx.nn.TransformerEncoderLayer(8, 2, key=key), eqx.nn.TransformerEncoderLayer)
    rope = eqx.nn.RotaryPositionalEmbedding(4, theta=500_000)
    assert_type(
        eqx.nn.TransformerEncoderLayer(
            8,
            4,
            16,
            0.1,
            jax.nn.silu,
            "rms",
            causal=True,
            rope=rope,
            num_kv_heads=2,
            gated=True,
            use_bias=False,
            key=key,
        ),
        eqx.nn.TransformerEncoderLayer,
    )
    assert_type(layer(x), Array)
    assert_type(layer(x, x > 0, key=key, inference=False), Array)
    assert_type(layer(x, ("causal", x > 0)), Array)
    assert_type(layer.init_cache(10), eqx.nn.KVCache)
    assert_type(layer(x, cache=layer.init_cache(10, jnp.bfloat16)), tuple[Array, eqx.nn.KVCache])
    assert_type(layer.self_attention, eqx.nn.MultiheadAttention)
    assert_type(layer.self_attention_norm, eqx.nn.LayerNorm | eqx.nn.RMSNorm)
    assert_type(layer.feed_forward, eqx.nn.FeedForward | eqx.nn.GatedFeedForward)
    assert_type(layer.rope, eqx.nn.RotaryPositionalEmbedding | None)
    assert_type(layer.dropout, eqx.nn.Dropout)
    assert_type(layer.norm_first, bool)
    assert_type(layer.causal, bool)
    assert_type(layer.size, int)


def decoder(layer: eqx.nn.TransformerDecoderLayer, x: Array, memory: Array, key: Array) -> None:
    assert_type(eqx.nn.TransformerDecoderLayer(8, 2, norm_first=False, key=key), eqx.nn.TransformerDecoderLayer)
    assert_type(layer(x, memory), Array)
    assert_type(layer(x, memory, "causal", memory > 0, key=key, deterministic=True), Array)
    assert_type(layer(x, memory, cache=layer.init_cache(10)), tuple[Array, eqx.nn.KVCache])
    assert_type(layer.cross_attention, eqx.nn.MultiheadAttention)
    assert_type(layer.cross_attention_norm, eqx.nn.LayerNorm | eqx.nn.RMSNorm)


def step(layer: eqx.nn.TransformerEncoderLayer, x: Array, cache: eqx.nn.KVCache) -> tuple[Array, eqx.nn.KVCache]:
    return layer(x, cache=cache)


def stack(layers: eqx.nn.StackedLayers[eqx.nn.TransformerEncoderLayer], x: Array, caches: eqx.nn.KVCache) -> None:
    assert_type(layers(x), Array)
    assert_type(layers.scan(step, x, caches), tuple[Array, eqx.nn.KVCache])
