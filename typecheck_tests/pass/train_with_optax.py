"""A multilayer perceptron from scratch, trained with Optax: every tree keeps the type of the model."""

import functools as ft
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx


class Dense(eqx.Module):
    weight: Array
    bias: Array

    def __init__(self, in_size: int, out_size: int, *, key: Array) -> None:
        self.weight = jax.random.normal(key, (out_size, in_size)) / in_size**0.5
        self.bias = jnp.zeros(out_size)

    def __call__(self, x: Array) -> Array:
        return self.weight @ x + self.bias


class Network(eqx.Module):
    layers: tuple[Dense, ...]
    activation: Callable[[Array], Array]

    def __init__(self, *sizes: int, activation: Callable[[Array], Array] = jax.nn.tanh, key: Array) -> None:
        keys = jax.random.split(key, len(sizes) - 1)
        self.layers = tuple(Dense(m, n, key=k) for m, n, k in zip(sizes[:-1], sizes[1:], keys, strict=True))
        self.activation = activation

    def __call__(self, x: Array) -> Array:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


@ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array, has_aux=True)
def loss(model: Network, x: Array, y: Array, scale: float = 1.0) -> tuple[Array, dict[str, Array]]:
    error = jax.vmap(model)(x) - y
    return scale * jnp.mean(error**2), {"worst": jnp.max(jnp.abs(error))}


optimiser = optax.adam(1e-2)


@ft.partial(eqx.jitf, filter_fn=eqx.is_array_like)
def step(model: Network, state: optax.OptState, x: Array, y: Array) -> tuple[Network, optax.OptState, Array]:
    (value, aux), gradient = loss(model, x, y, scale=2.0)
    updates, state = optimiser.update(gradient, state, model)
    return eqx.apply_updates(model, updates), state, value + 0 * aux["worst"]


def train(model: Network, x: Array, y: Array, steps: int) -> tuple[Network, list[float]]:
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
    values: list[float] = []
    for _ in range(steps):
        model, state, value = step(model, state, x, y)
        values.append(float(value))
    return model, values


def train_the_optax_way(model: Network, x: Array, y: Array) -> Network:
    parameters, static = eqx.partition(model, eqx.is_array)
    state = optimiser.init(parameters)

    def loss_of_parameters(parameters: Network) -> Array:
        return jnp.mean((jax.vmap(eqx.combine(parameters, static))(x) - y) ** 2)

    gradient = eqx.filter_grad(loss_of_parameters)(parameters)
    updates, state = optimiser.update(gradient, state, parameters)
    parameters = eqx.apply_updates(parameters, updates)
    return eqx.combine(parameters, static)


x = jnp.linspace(-1.0, 1.0, 32)[:, None]
y = jnp.sin(3 * x)
model = Network(1, 8, 1, key=jax.random.key(0))
trained, values = train(model, x, y, 20)
assert values[-1] < values[0]
assert trained.activation is model.activation
assert not eqx.tree_equal(train_the_optax_way(model, x, y).layers[0].weight, model.layers[0].weight)
