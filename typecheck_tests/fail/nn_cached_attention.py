"""Mistakes with what attention may see, with its cache, and with positions."""

from jax import Array

import equinox as eqx


def heads(q: Array, mask: Array) -> None:
    eqx.nn.dot_product_attention(q, q, q, mask)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.dot_product_attention(q, q, q, window=(1, 2, 3))  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.dot_product_attention(q, q, q, implementation="flash")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.dot_product_attention(q, q, q, dropout=0.1)  # error: mypy[arg-type] pyright[reportArgumentType]


def attention(layer: eqx.nn.MultiheadAttention, cache: eqx.nn.KVCache, x: Array, key: Array) -> None:
    eqx.nn.MultiheadAttention(4, 8, 2, num_kv_heads="two", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    layer(x, x, x, "diagonal")  # error: mypy[call-overload] pyright[reportArgumentType]
    layer(x, x, x, (x, "causal"))  # error: mypy[arg-type] pyright[reportArgumentType]
    layer(x, x, x, cache=x)  # error: mypy[call-overload] pyright[reportCallIssue, reportArgumentType]
    layer(x, x, x, cache=cache).shape  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    layer(x, x, x, cache=cache)[1].shape  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    layer.init_cache()  # error: mypy[call-arg] pyright[reportCallIssue]
    cache.extended(x)  # error: mypy[call-arg] pyright[reportCallIssue]


def positions(x: Array, key: Array) -> None:
    eqx.nn.RotaryPositionalEmbedding(4, 1e4, None, True)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.RotaryPositionalEmbedding(4, scaling=2.0)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.YaRNScaling(2.0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.SinusoidalPositionalEmbedding(4)([1, 2])  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.LearnedPositionalEmbedding(4, 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.ALiBi(4)(3)  # error: mypy[arg-type] pyright[reportArgumentType]


def changing(
    x: Array,
    cache: eqx.nn.KVCache,
    rope: eqx.nn.RotaryPositionalEmbedding,
    learned: eqx.nn.LearnedPositionalEmbedding,
    alibi: eqx.nn.ALiBi,
) -> None:
    cache.length = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    cache.max_len = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    rope.rotary_size = 2  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    learned.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    alibi.num_heads = 2  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.LinearScaling(2.0).factor = 3.0  # error: mypy[misc] pyright[reportAttributeAccessIssue]
