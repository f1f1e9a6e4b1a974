"""Layers: what they are made from, what they hold, what they return."""

from collections.abc import Callable
from typing import Literal, assert_type

import jax
from jax import Array

import equinox as eqx


def linear(layer: eqx.nn.Linear, x: Array, key: Array) -> None:
    assert_type(eqx.nn.Linear(2, 3, key=key), eqx.nn.Linear)
    assert_type(eqx.nn.Linear("scalar", 3, False, key=key)(x, key=key), Array)
    assert_type(layer.weight, Array)
    assert_type(layer.bias, Array | None)
    assert_type(layer.in_features, int | Literal["scalar"])
    assert_type(jax.vmap(layer)(x), Array)  # gap: zuban(partial)


def mlp(mlp: eqx.nn.MLP, x: Array, key: Array) -> None:
    assert_type(eqx.nn.MLP(2, "scalar", 8, depth=2, activation=jax.nn.gelu, key=key)(x), Array)
    assert_type(mlp.layers, tuple[eqx.nn.Linear, ...])
    assert_type(mlp.layers[0].weight, Array)
    assert_type(mlp.activation, Callable[[Array], Array])
    assert_type(mlp.depth, int)
    assert_type(eqx.tree_at(lambda mlp: mlp.layers[0].bias, mlp, replace_fn=lambda bias: 2 * bias), eqx.nn.MLP)


def recurrent(x: Array, key: Array) -> None:
    assert_type(eqx.nn.GRUCell(2, 3, key=key)(x, x), Array)
    assert_type(eqx.nn.LSTMCell(2, 3, key=key)(x, (x, x)), tuple[Array, Array])
    assert_type(eqx.nn.GRUCell(2, 3, key=key).weight_ih, Array)


def others(x: Array, key: Array) -> None:
    assert_type(eqx.nn.Dropout(0.5)(x, key=key, deterministic=False), Array)
    assert_type(eqx.nn.Dropout(0.5).inference, bool)
    assert_type(eqx.nn.Identity(1, a=2)(x), Array)
    assert_type(eqx.nn.PReLU()(x), Array)
    assert_type(eqx.nn.PReLU().negative_slope, Array)
    assert_type(eqx.nn.Lambda(jax.nn.relu)(x), Array)  # gap: zuban(generic-final)


def in_a_row(x: Array, key: Array) -> None:
    row = eqx.nn.Sequential([eqx.nn.Linear(2, 2, key=key), eqx.nn.Linear(2, 2, key=key)])
    assert_type(row, eqx.nn.Sequential[eqx.nn.Linear])
    assert_type(row[0].weight, Array)
    assert_type(row[1:], eqx.nn.Sequential[eqx.nn.Linear])
    assert_type(len(row), int)
    assert_type([layer.bias for layer in row], list[Array | None])
    assert_type(eqx.nn.Sequential([eqx.nn.Linear(2, 2, key=key), eqx.nn.Lambda(jax.nn.relu)])(x, key=key), Array)


class Counter(eqx.nn.StatefulLayer):
    def __call__(self, x: Array, /, state: int, *, key: Array | None = None) -> tuple[Array, int]:
        return x, state + 1


def stateful(x: Array, state: int) -> None:
    assert_type(Counter()(x, state), tuple[Array, int])
    assert_type(eqx.nn.Sequential([Counter()])(x, state), tuple[Array, int])
