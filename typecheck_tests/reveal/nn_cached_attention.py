"""Attention to what is visible, with a cache, and positions: what the calls return."""

from functools import partial
from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

import equinox as eqx


def init(key: Array, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    return jax.random.normal(key, shape, dtype)


def heads(q: Array, k: Array, v: Array, mask: Array, dropout: eqx.nn.Dropout, key: Array) -> None:
    assert_type(eqx.nn.dot_product_attention(q, k, v), Array)
    assert_type(eqx.nn.dot_product_attention(q, k, v, mask=mask, bias=q, scale=0.1, is_causal=True), Array)
    assert_type(eqx.nn.dot_product_attention(q, k, v, window=(3, 0), dropout=dropout, key=key), Array)
    assert_type(eqx.nn.dot_product_attention(q, k, v, window=3, implementation="cudnn"), Array)
    assert_type(eqx.nn.dot_product_attention(q, k, v, inference=True, implementation=None), Array)


def attention(layer: eqx.nn.MultiheadAttention, x: Array, mask: Array, key: Array) -> None:
    assert_type(eqx.nn.MultiheadAttention(4, 8, num_kv_heads=2, weight_init=init, key=key), eqx.nn.MultiheadAttention)
    assert_type(eqx.nn.MultiheadAttention(4, 8, bias_init=init, key=key), eqx.nn.MultiheadAttention)
    assert_type(layer.num_kv_heads, int)
    assert_type(layer(x, x, x, "causal"), Array)
    assert_type(layer(x, x, x, mask=("causal", mask), window=2, bias=x), Array)
    assert_type(layer(x, x, x, mask, implementation="xla", cache=None), Array)


def cached(layer: eqx.nn.MultiheadAttention, cache: eqx.nn.KVCache, x: Array, mask: Array, key: Array) -> None:
    assert_type(layer.init_cache(16), eqx.nn.KVCache)
    assert_type(layer.init_cache(max_len=16, dtype="bfloat16"), eqx.nn.KVCache)
    assert_type(layer(x, x, x, cache=cache), tuple[Array, eqx.nn.KVCache])
    assert_type(layer(x, x, x, ("causal", mask), key=key, window=(4, 0), cache=cache), tuple[Array, eqx.nn.KVCache])
    assert_type(cache.keys, Array)
    assert_type(cache.values, Array)
    assert_type(cache.length, Array)
    assert_type(cache.max_len, int)
    assert_type(cache.extended(x, x), eqx.nn.KVCache)
    assert_type(eqx.nn.KVCache(x, x, x), eqx.nn.KVCache)
    assert_type(eqx.nn.StateIndex(cache), eqx.nn.StateIndex[eqx.nn.KVCache])


def positions(x: Array, cache: eqx.nn.KVCache, key: Array) -> None:
    rope = eqx.nn.RotaryPositionalEmbedding(8, rotary_size=4, interleaved=True, scaling=eqx.nn.NTKScaling(2.0))
    assert_type(rope, eqx.nn.RotaryPositionalEmbedding)
    assert_type(rope(x, offset=cache.length), Array)
    assert_type(rope(x, offset=3), Array)
    assert_type(rope.rotary_size, int)
    assert_type(rope.interleaved, bool)
    assert_type(eqx.nn.LinearScaling(2.0).factor, float)
    assert_type(eqx.nn.Llama3Scaling(), eqx.nn.Llama3Scaling)
    assert_type(eqx.nn.YaRNScaling(2.0, original_max_len=8).magnitude, float)
    sinusoidal = eqx.nn.SinusoidalPositionalEmbedding(8, max_period=100.0, interleaved=False)
    assert_type(sinusoidal, eqx.nn.SinusoidalPositionalEmbedding)
    assert_type(sinusoidal(3, key=key), Array)
    assert_type(sinusoidal.max_period, float)
    assert_type(sinusoidal.dtype, np.dtype[Any])
    learned = eqx.nn.LearnedPositionalEmbedding(16, 8, key=key, weight_init=init)
    assert_type(learned, eqx.nn.LearnedPositionalEmbedding)
    assert_type(learned(2.5), Array)
    assert_type(learned.weight, Array)
    assert_type(learned.num_positions, int)
    alibi = eqx.nn.ALiBi(4, dtype=jnp.bfloat16)
    assert_type(alibi, eqx.nn.ALiBi)
    assert_type(alibi(jnp.arange(3)), Array)
    assert_type(alibi(cache.length[None], jnp.arange(cache.max_len), key=key), Array)
    assert_type(alibi.num_heads, int)


def rotated(layer: eqx.nn.MultiheadAttention, rope: eqx.nn.RotaryPositionalEmbedding, x: Array) -> None:
    rotate = jax.vmap(partial(rope, offset=3), in_axes=1, out_axes=1)
    assert_type(layer(x, x, x, "causal", process_heads=lambda q, k, v: (rotate(q), rotate(k), v)), Array)
