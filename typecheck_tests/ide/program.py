"""What is open in the editor: a program with models and all kinds of transformed functions."""

import functools as ft

import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Linear(eqx.Module):
    """Multiplies by a matrix."""

    weight: Array
    bias: Array | None = None
    name: str = eqx.field(static=True, default="linear", kw_only=True)

    def norm(self, order: int = 2) -> Array:
        """The norm of the matrix."""
        return jnp.sum(jnp.abs(self.weight) ** order)

    @eqx.filter_jit
    def apply(self, x: Array, *, scale: float = 1.5) -> Array:
        """Multiply a vector."""
        return scale * self.weight @ x


class Model(eqx.Module):
    """Has an `__init__` of its own."""

    first: Linear
    rest: list[Linear]
    mlp: eqx.nn.MLP

    def __init__(self, width: int, *, depth: int = 3, key: Array) -> None:
        self.first = Linear(jnp.eye(width))
        self.rest = [self.first] * depth
        self.mlp = eqx.nn.MLP(width, width, width, depth, key=key)


@eqx.filter_jit
def predict(model: Model, x: Array, *, repeat: int = 1) -> Array:
    """Predict with a model."""
    for layer in [model.first, *model.rest] * repeat:
        x = layer.apply(x)
    return x


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
def step(model: Model, x: Array, *, rate: float = 0.1) -> Model:
    """Take one step."""
    return eqx.tree_at(lambda model: model.first.weight, model, replace_fn=lambda weight: (1 - rate) * weight)


@eqx.gradf(filter_fn=eqx.is_inexact_array)
def gradient(model: Model, x: Array, target: Array) -> Array:
    """Say how wrong a model is."""
    return jnp.sum((predict(model, x) - target) ** 2)


def loss(model: Model, x: Array, target: Array) -> Array:
    """Say how wrong a model is."""
    return jnp.sum((predict(model, x) - target) ** 2)


slope = eqx.filter_grad(loss)


def edited(model: Model, x: Array) -> None:
    """The tests write below."""
