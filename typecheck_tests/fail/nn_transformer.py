"""Mistakes with the layers of transformers: in making them, in calling them, in changing them."""

from jax import Array

import equinox as eqx


def making(key: Array) -> None:
    eqx.nn.FeedForward(8)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.FeedForward(8, activation="relu", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.GatedFeedForward(8, gated=True, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.TransformerEncoderLayer(8, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.TransformerEncoderLayer(8, 2, norm="batch", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.TransformerEncoderLayer(8, 2, rope=1e4, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.TransformerDecoderLayer(8, 2, cross=True, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]


def calling(
    x: Array, key: Array, encoder: eqx.nn.TransformerEncoderLayer, decoder: eqx.nn.TransformerDecoderLayer
) -> None:
    encoder(x, "future")  # error: mypy[call-overload] pyright[reportArgumentType]
    encoder(x, None, key)  # error: mypy[call-overload] pyright[reportCallIssue]
    decoder(x)  # error: mypy[call-overload] pyright[reportCallIssue]
    decoder(x, x, cache=x)  # error: mypy[call-overload] pyright[reportCallIssue, reportArgumentType]


def changing(x: Array, encoder: eqx.nn.TransformerEncoderLayer, decoder: eqx.nn.TransformerDecoderLayer) -> None:
    encoder.causal = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    encoder.self_attention.query_proj.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    decoder.cross_attention = encoder.self_attention  # error: mypy[misc] pyright[reportAttributeAccessIssue]
