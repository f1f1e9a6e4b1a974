"""Calling a Module, and a method of it, when there is nothing to do in there."""

from typing import Any

import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..row import Row
from ..timing import Expression, Pair


class _Module(eqx.Module):
    weight: Array

    def __call__(self, x: Array) -> Array:
        return x

    def method(self, x: Array) -> Array:
        return x


class _Plain:
    def __init__(self, weight: Array) -> None:
        self.weight = weight

    def __call__(self, x: Array) -> Array:
        return x

    def method(self, x: Array) -> Array:
        return x


def _prepare(source: str) -> Pair:
    x = jnp.ones(3)

    def call(callable_: Any) -> Expression:
        return Expression(source, {"callable_": callable_, "x": x})

    return Pair(call(_Module(x)), call(_Plain(x)))


ROWS = (
    Row("call a Module", "plain object", 1.1, lambda: _prepare("callable_(x)")),
    Row("call a method", "plain object", None, lambda: _prepare("callable_.method(x)")),
)
