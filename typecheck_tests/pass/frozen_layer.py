"""Only some leaves are differentiated: a tree of booleans, made with `tree_at`, says which."""

import functools as ft

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class TwoLayers(eqx.Module):
    first: Array
    second: Array

    def __call__(self, x: Array) -> Array:
        return self.second @ jnp.tanh(self.first @ x)


model = TwoLayers(jnp.ones((3, 2)), second=jnp.ones((1, 3)))
frozen = eqx.filter(model, False, replace=False)
trainable = eqx.tree_at(lambda model: model.second, frozen, replace=True)


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
@ft.partial(eqx.value_and_grad_f, filter_tree=trainable)
def loss(model: TwoLayers, x: Array) -> Array:
    return jnp.sum(model(x) ** 2)


@eqx.jitf(filter_fn=eqx.is_array)
def step(model: TwoLayers, x: Array, learning_rate: float) -> tuple[TwoLayers, Array]:
    value, gradient = loss(model, x)

    def descend(gradient: Array) -> Array:
        return -learning_rate * gradient

    return eqx.apply_updates(model, jax.tree.map(descend, gradient)), value


trained, value = step(model, jnp.ones(2), 0.01)
assert float(value) > 0
assert eqx.tree_equal(trained.first, model.first)
assert not eqx.tree_equal(trained.second, model.second)
