"""Mistakes with embeddings and attention: in making them, in calling them, in changing them."""

from jax import Array

import equinox as eqx


def making(key: Array) -> None:
    eqx.nn.Embedding("ten", 3, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Embedding(10, 3, size=3, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.RotaryPositionalEmbedding()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.RotaryPositionalEmbedding(4, "10000")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.MultiheadAttention(2, 8)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.MultiheadAttention(2, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.MultiheadAttention(2, 8, use_bias=True, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]


def calling(x: Array, key: Array, embedding: eqx.nn.Embedding, attention: eqx.nn.MultiheadAttention) -> None:
    embedding("word")  # error: mypy[arg-type] pyright[reportArgumentType]
    embedding([1, 2])  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.RotaryPositionalEmbedding(4)(x, x)  # error: mypy[call-arg] pyright[reportCallIssue]
    attention(x, x)  # error: mypy[call-overload] pyright[reportCallIssue]
    attention(x, x, x, None, key)  # error: mypy[call-overload] pyright[reportCallIssue]
    attention(x, key=x, value=x)  # error: mypy[call-overload] pyright[reportCallIssue]
    attention(x, x, x, process_heads=lambda q, k: (q, k))  # error: mypy[arg-type, misc] pyright[reportArgumentType]
    attention.inference  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]


def changing(
    x: Array,
    embedding: eqx.nn.Embedding,
    rope: eqx.nn.RotaryPositionalEmbedding,
    attention: eqx.nn.MultiheadAttention,
) -> None:
    embedding.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    rope.theta = 100.0  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    attention.num_heads = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    attention.query_proj.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    attention.dropout.p = 0.5  # error: mypy[misc] pyright[reportAttributeAccessIssue]
