"""A trainer for any model: what it does to a model, it does not do to the model's type."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx

_Model = TypeVar("_Model", bound=eqx.Module)


def fit(model: _Model, loss: Callable[[_Model, Array], Array], data: Iterable[Array], rate: float) -> _Model:
    def descend(gradient: Array) -> Array:
        return jnp.multiply(-rate, gradient)

    @eqx.filter_jit
    def step(model: _Model, x: Array) -> _Model:
        gradient = eqx.filter_grad(loss)(model, x)
        return eqx.apply_updates(model, jax.tree.map(descend, gradient))

    for x in data:
        model = step(model, x)
    return model


class Point(eqx.Module):
    position: Array


def distance(point: Point, target: Array) -> Array:
    return jnp.sum((point.position - target) ** 2)


fitted = fit(Point(jnp.zeros(2)), distance, [jnp.ones(2)] * 20, rate=0.2)
assert jnp.allclose(fitted.position, 1.0, atol=1e-2)
