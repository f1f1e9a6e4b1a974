"""Convolutions and pooling: what they are made from, what they hold, what they return."""

from collections.abc import Callable
from typing import Literal, assert_type

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


def convolutions(x: Array, key: Array) -> None:
    assert_type(eqx.nn.Conv(2, 3, 8, kernel_size=3, key=key), eqx.nn.Conv)
    assert_type(eqx.nn.Conv(2, 3, 8, (3, 5), [1, 2], [(0, 1), (1, 0)], bias=False, key=key)(x, key=key), Array)
    assert_type(eqx.nn.Conv1d(3, 8, 3, padding="same", key=key)(x), Array)
    assert_type(eqx.nn.Conv2d(3, 8, 3, padding=(1, 2), padding_mode="reflect", key=key), eqx.nn.Conv2d)
    assert_type(eqx.nn.Conv3d(3, 8, 3, dilation=(1, 2, 3), groups=1, key=key)(x), Array)
    assert_type(eqx.nn.ConvTranspose(2, 3, 8, 3, 2, 1, 1, key=key)(x), Array)
    assert_type(eqx.nn.ConvTranspose1d(3, 8, 3, 2, 1, "same", key=key)(x), Array)
    assert_type(eqx.nn.ConvTranspose2d(3, 8, 3, (2, 1), (1, 0), use_bias=False, key=key), eqx.nn.ConvTranspose2d)
    assert_type(eqx.nn.ConvTranspose3d(3, 8, 3, dtype="float32", key=key)(x), Array)


def fields(conv: eqx.nn.Conv2d, transposed: eqx.nn.ConvTranspose2d) -> None:
    assert_type(conv.weight, Array)
    assert_type(conv.bias, Array | None)
    assert_type(conv.kernel_size, tuple[int, ...])
    assert_type(conv.padding, Literal["VALID", "SAME", "SAME_LOWER", "CAUSAL"] | tuple[tuple[int, int], ...])
    assert_type(conv.padding_mode, Literal["ZEROS", "REFLECT", "REPLICATE", "CIRCULAR"])
    assert_type(conv.use_bias, bool)
    assert_type(transposed.weight, Array)
    assert_type(transposed.output_padding, tuple[int, ...])
    assert_type(eqx.tree_at(lambda conv: conv.weight, conv, replace_fn=lambda weight: 2 * weight), eqx.nn.Conv2d)


def pooling(x: Array) -> None:
    assert_type(eqx.nn.Pool(0.0, jax.lax.add, 2, kernel_size=(2, 3))(x, key=None), Array)
    assert_type(eqx.nn.Pool(1, jnp.multiply, 1, 2).operation, Callable[[Array, Array], Array])
    assert_type(eqx.nn.Pool(1, jnp.multiply, 1, 2).init, float | Array)
    assert_type(eqx.nn.MaxPool1d(2)(x), Array)
    assert_type(eqx.nn.MaxPool2d((2, 3), 2, [(0, 1), (1, 0)], use_ceil=True).padding, tuple[tuple[int, int], ...])
    assert_type(eqx.nn.MaxPool3d(2, stride=2)(x), Array)
    assert_type(eqx.nn.AvgPool1d(2, 2, 1)(x), Array)
    assert_type(eqx.nn.AvgPool2d(2, count_include_pad=False), eqx.nn.AvgPool2d)
    assert_type(eqx.nn.AvgPool3d(2).count_include_pad, bool)
    assert_type(eqx.nn.AdaptivePool((2, 3), 2, jnp.median)(x), Array)
    assert_type(eqx.nn.AdaptivePool(2, 2, jnp.median, overlap=True).target_shape, tuple[int, ...])
    assert_type(eqx.nn.AdaptiveAvgPool1d(2)(x), Array)
    assert_type(eqx.nn.AdaptiveAvgPool2d((2, 3)), eqx.nn.AdaptiveAvgPool2d)
    assert_type(eqx.nn.AdaptiveAvgPool3d(2, overlap=True)(x), Array)
    assert_type(eqx.nn.AdaptiveMaxPool1d(2)(x), Array)
    assert_type(eqx.nn.AdaptiveMaxPool2d((2, 3)).operation, Callable[[Array], Array])
    assert_type(eqx.nn.AdaptiveMaxPool3d([1, 2, 3])(x), Array)
