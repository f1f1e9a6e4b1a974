"""Mistakes with convolutions and pooling: in making them, in calling them, in changing them."""

import jax.numpy as jnp
from jax import Array

import equinox as eqx


def making(key: Array) -> None:
    eqx.nn.Conv2d(3, 8, 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Conv2d(3, 8, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Conv1d(3, 8, "3", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Conv1d(3, 8, 3, 1.5, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Conv1d(3, 8, 3, padding=None, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.ConvTranspose2d(3, 8, 3, output_padding="same", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.ConvTranspose2d(3, 8, 3, padding_mode=0, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.MaxPool2d()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.MaxPool2d(2, padding="same")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.AvgPool2d(2, 2, 0, False, True)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.AdaptiveAvgPool2d(2.5)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.AdaptivePool(2, 1, "mean")  # error: mypy[arg-type] pyright[reportArgumentType]


def calling(x: Array, key: Array, conv: eqx.nn.Conv2d, pool: eqx.nn.MaxPool2d) -> None:
    conv("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    conv(x, key)  # error: mypy[call-arg] pyright[reportCallIssue]
    pool(x, key)  # error: mypy[call-arg] pyright[reportCallIssue]
    pool.count_include_pad  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _sum = conv.bias + x  # error: mypy[operator] pyright[reportOptionalOperand, reportUnknownVariableType]


def changing(x: Array, conv: eqx.nn.Conv2d, transposed: eqx.nn.ConvTranspose1d, pool: eqx.nn.AvgPool2d) -> None:
    conv.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    conv.bias = None  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    conv.padding = "SAME"  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    transposed.output_padding = (1,)  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    pool.init = 1  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    pool.count_include_pad = False  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.AdaptivePool(2, 1, jnp.median).target_shape = (3,)  # error: mypy[misc] pyright[reportAttributeAccessIssue]
