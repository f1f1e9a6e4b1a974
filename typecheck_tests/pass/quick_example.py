"""The quick example: a model, and the gradient of its loss, compiled; with `functools.partial` for a decorator."""

import functools as ft
from typing import assert_type

import jax
import jax.numpy as jnp
import jax.random as jrandom

import equinox as eqx


class LinearOrIdentity(eqx.Module):
    weight: jax.Array
    flag: bool

    def __init__(self, in_features: int, out_features: int, flag: bool, key: jax.Array) -> None:
        self.weight = jrandom.normal(key, (out_features, in_features))
        self.flag = flag

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.flag:
            return x
        return self.weight @ x


@ft.partial(eqx.jitf, filter_fn=eqx.is_inexact_array)
@ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
def loss(model: LinearOrIdentity, x: jax.Array, y: jax.Array) -> jax.Array:
    pred_y = jax.vmap(model)(x)
    return jnp.mean((y - pred_y) ** 2)


modelkey, xkey, ykey = jrandom.split(jrandom.PRNGKey(0), 3)
model = LinearOrIdentity(2, 3, flag=False, key=modelkey)
x, y = jrandom.normal(xkey, (100, 2)), jrandom.normal(ykey, (100, 3))
grads = loss(model, x, y)

assert_type(model, LinearOrIdentity)
assert_type(grads, LinearOrIdentity)  # gap: zuban(partial)
assert_type(loss(model, x, y), LinearOrIdentity)  # gap: zuban(partial)
assert_type(grads.weight, jax.Array)  # gap: zuban(partial)
shape: tuple[int, ...] = grads.weight.shape
assert shape == (3, 2)
assert grads.flag is None
