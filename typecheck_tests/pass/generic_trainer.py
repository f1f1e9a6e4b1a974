"""A trainer for any model: what it does to a model, it does not do to the model's type."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx

_Model = TypeVar("_Model", bound=eqx.Module)


def fit(model: _Model, loss: Callable[[_Model, Array], Array], data: Iterable[Array], rate: float) -> _Model:
    @eqx.filter_jit
    def step(model: _Model, x: Array) -> _Model:
        value, gradient = eqx.filter_value_and_grad(loss)(model, x)
        del value
        return eqx.apply_updates(model, jax.tree.map(lambda leaf: -rate * leaf, gradient))

    for x in data:
        model = step(model, x)
    return model


class Point(eqx.Module):
    position: Array


def distance(point: Point, target: Array) -> Array:
    return jnp.sum((point.position - target) ** 2)


fitted = fit(Point(jnp.zeros(2)), distance, [jnp.ones(2)] * 20, rate=0.2)
assert jnp.allclose(fitted.position, 1.0, atol=1e-2)
