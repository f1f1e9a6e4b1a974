"""A network with batch normalisation is trained with its state, and then used."""

import functools as ft

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Network(eqx.Module):
    body: eqx.nn.Sequential
    head: eqx.nn.Linear
    steps: eqx.nn.StateIndex[Array]

    def __init__(self, size: int, *, key: Array) -> None:
        body_key, head_key, norm_key = jax.random.split(key, 3)
        linear = eqx.nn.SpectralNorm(eqx.nn.Linear(2, size, key=body_key), "weight", key=norm_key)
        self.body = eqx.nn.Sequential([linear, eqx.nn.BatchNorm(size, "batch", mode="batch"), eqx.nn.LayerNorm(size)])
        self.head = eqx.nn.Linear(size, "scalar", key=head_key)
        self.steps = eqx.nn.StateIndex(jnp.array(0))

    def __call__(self, x: Array, state: eqx.nn.State) -> tuple[Array, eqx.nn.State]:
        x, state = self.body(x, state)
        return self.head(x), state.set(self.steps, state.get(self.steps) + 1)


@ft.partial(eqx.filter_value_and_grad, has_aux=True)
def loss(model: Network, state: eqx.nn.State, xs: Array) -> tuple[Array, eqx.nn.State]:
    ys, state = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(xs, state)
    return jnp.mean((ys - xs[:, 0]) ** 2), state


def downhill(gradient: Array) -> Array:
    return -0.1 * gradient


@eqx.filter_jit
def step(model: Network, state: eqx.nn.State, xs: Array) -> tuple[Network, eqx.nn.State]:
    (_, state), gradient = loss(model, state, xs)
    return eqx.apply_updates(model, jax.tree.map(downhill, gradient)), state


model, state = eqx.nn.make_with_state(Network)(4, key=jax.random.key(0))
xs = jax.random.normal(jax.random.key(1), (8, 2))
for _ in range(2):
    model, state = step(model, state, xs)
assert state.get(model.steps) == 2

y, state = eqx.nn.inference_mode(model)(xs[0], state)
assert y.shape == ()
