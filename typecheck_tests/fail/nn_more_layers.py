"""Mistakes with embeddings of bags, contractions, shapes, combinators and further convolutions."""

from typing import Any

from jax import Array

import equinox as eqx


def making(key: Array) -> None:
    eqx.nn.Embedding(10, 3, padding_idx=0.5, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.EmbeddingBag(10, 3, mode="median", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.EmbeddingBag(10, 3, None, None, "sum", key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Bilinear(3, 4, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.DenseGeneral("3", 2, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Einsum(("i", "io"), (3, 4), key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Einsum("i,io->o", (3, 4))  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Upsample(2, "bilinear")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Upsample(2, "linear", 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.PixelShuffle(1.5)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Flatten("all")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Reshape(None)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.GlobalAvgPool(keepdims="yes")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Residual()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Parallel(3)  # error: mypy[call-overload] pyright[reportArgumentType]
    eqx.nn.Sequential({1: eqx.nn.Identity()})  # error: mypy[dict-item] pyright[reportArgumentType, reportCallIssue]
    eqx.nn.CausalConv1d(2, 3, 5, padding="same", key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.DepthwiseConv(2, 3, 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.SeparableConv(2, 3, 3, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]


def calling(x: Array, key: Array, model: eqx.nn.Linear, bilinear: eqx.nn.Bilinear, flatten: eqx.nn.Flatten) -> None:
    bilinear(x)  # error: mypy[call-arg] pyright[reportCallIssue]
    flatten(x, key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.load_torch(model)  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.nn.load_torch(model, {0: x})  # error: mypy[dict-item] pyright[reportArgumentType]
    eqx.nn.load_torch(model, {}, "state")  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    eqx.nn.to_torch_state_dict(model, state=3)  # error: mypy[arg-type] pyright[reportArgumentType]
    _parameters: str = eqx.nn.count_params(model)  # error: mypy[assignment] pyright[reportAssignmentType]


def changing(x: Array, bag: eqx.nn.EmbeddingBag, named: eqx.nn.Sequential[Any], upsample: eqx.nn.Upsample) -> None:
    bag.mode = "sum"  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    bag.padding_idx = 1  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    named.names = ("a",)  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    upsample.mode = "cubic"  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.PixelShuffle(2).factor = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.Residual(named).layer = named  # error: mypy[misc] pyright[reportAttributeAccessIssue]
