"""Embeddings of bags, contractions, shapes, combinators, further convolutions: how they are made, and what they return."""

from typing import Any, Literal, assert_type

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


def embeddings(x: Array, key: Array, embedding: eqx.nn.Embedding) -> None:
    assert_type(eqx.nn.Embedding(10, 3, padding_idx=-1, key=key).padding_idx, int | None)
    assert_type(embedding.attend(x), Array)
    bag = eqx.nn.EmbeddingBag(10, 3, mode="max", padding_idx=0, key=key)
    assert_type(bag, eqx.nn.EmbeddingBag)
    assert_type(bag.mode, Literal["sum", "mean", "max"])
    assert_type(bag(x), Array)
    assert_type(bag(x, x > 0, key=None), Array)


def contractions(x: Array, key: Array) -> None:
    bilinear = eqx.nn.Bilinear(3, 4, 2, bias=False, key=key)
    assert_type(bilinear(x, x), Array)
    assert_type(bilinear.bias, Array | None)
    general = eqx.nn.DenseGeneral((3, 4), 2, (0, -1), weight_init=jax.nn.initializers.ones, key=key)
    assert_type(general(x), Array)
    assert_type(general.in_shape, tuple[int, ...])
    einsum = eqx.nn.Einsum("...i,io->...o", (3, 4), use_bias=False, key=key)
    assert_type(einsum(x), Array)
    assert_type(einsum.equation, str)


def shapes(x: Array) -> None:
    assert_type(eqx.nn.Upsample(2)(x), Array)
    upsample = eqx.nn.Upsample((1.5, 2), "linear", align_corners=True)
    assert_type(upsample.scale, float | tuple[float, ...] | None)
    assert_type(upsample.mode, Literal["nearest", "nearest-exact", "linear", "cubic"])
    assert_type(eqx.nn.Upsample(size=(2, 3), mode="cubic").size, int | tuple[int, ...] | None)
    assert_type(eqx.nn.PixelShuffle(2)(x), Array)
    assert_type(eqx.nn.PixelUnshuffle(2).factor, int)
    assert_type(eqx.nn.Flatten(1)(x), Array)
    assert_type(eqx.nn.Reshape([2, -1]).shape, tuple[int, ...])
    assert_type(eqx.nn.GlobalAvgPool(keepdims=True)(x), Array)
    assert_type(eqx.nn.GlobalMaxPool()(x), Array)


def combinators(x: Array, key: Array, state: eqx.nn.State) -> None:
    linear = eqx.nn.Linear(3, 3, key=key)
    assert_type(eqx.nn.Residual(linear), eqx.nn.Residual[eqx.nn.Linear])
    assert_type(eqx.nn.Residual(linear).layer.weight, Array)  # gap: zuban(generic-final)
    assert_type(eqx.nn.Residual(linear)(x, key=key), Array)
    assert_type(eqx.nn.Residual(linear)(x, state), tuple[Array, eqx.nn.State])
    assert_type(eqx.nn.Parallel([linear, eqx.nn.Identity()])(x), tuple[Any, ...])

    def merge(outs: tuple[Any, ...]) -> Array:
        return jnp.stack(outs)

    parallel = eqx.nn.Parallel([linear, linear], merge)
    assert_type(parallel(x), Array)
    assert_type(parallel(x, state, key=key), tuple[Array, eqx.nn.State])
    named = eqx.nn.Sequential({"first": linear, "second": linear})
    assert_type(named, eqx.nn.Sequential[eqx.nn.Linear])
    assert_type(named["first"], eqx.nn.Linear)
    assert_type(named[1], eqx.nn.Linear)
    assert_type(named[1:], eqx.nn.Sequential[eqx.nn.Linear])
    assert_type(named.names, tuple[str, ...] | None)
    assert_type(named(x), Array)


def convolutions(x: Array, key: Array) -> None:
    causal = eqx.nn.CausalConv1d(2, 3, 5, dilation=2, key=key)
    assert_type(causal(x), Array)
    assert_type(causal(x, causal.init_buffer()), tuple[Array, Array])
    assert_type(eqx.nn.DepthwiseConv(2, 3, (3, 5), 2, padding="same", key=key), eqx.nn.DepthwiseConv)
    separable = eqx.nn.SeparableConv(2, 3, 4, 3, key=key)
    assert_type(separable.depthwise, eqx.nn.DepthwiseConv)
    assert_type(separable.pointwise, eqx.nn.Conv)
    assert_type(separable(x), Array)


def sizes(model: eqx.nn.MLP, x: Array) -> None:
    assert_type(eqx.nn.count_params(model), int)
    assert_type(eqx.nn.summary(model, x), eqx.TreeSummary)


def from_and_to_pytorch(model: eqx.nn.MLP, state_dict: dict[str, Array], state: eqx.nn.State) -> None:
    assert_type(eqx.nn.load_torch(model, state_dict), eqx.nn.MLP)
    assert_type(eqx.nn.load_torch(model, state_dict, state), tuple[eqx.nn.MLP, eqx.nn.State])
    for name, array in eqx.nn.to_torch_state_dict(model, state).items():
        assert_type(name, str)
        assert_type(array.shape, tuple[Any, ...])
