"""Train a network: `value_and_grad_f` finds the slope, Optax the update, and `jitf` compiles the two into one step.

The leaves of the network are its parameters and, among them, its activation function, which is neither differentiable
nor an array. The filters say which leaves take part: here, as almost always, all arrays are traced by the compiler, and
those of floating-point numbers are differentiated. The network learns the sine.
"""

import functools as ft
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx


@ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array)
def loss(model: eqx.nn.MLP, x: Array, y: Array) -> Array:
    """The mean squared error over a batch; with the decorator, a pair of that and its gradient, which is an `MLP`."""
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
def step(
    model: eqx.nn.MLP, optimiser: optax.GradientTransformation, state: optax.OptState, x: Array, y: Array
) -> tuple[eqx.nn.MLP, optax.OptState, Array]:
    """One step of training. The optimiser is a pair of functions, so it is static: part of what is compiled."""
    value, gradient = loss(model, x, y)
    updates, state = optimiser.update(gradient, state)
    return eqx.apply_updates(model, updates), state, value


class Result(NamedTuple):
    """What `main` arrives at."""

    model: eqx.nn.MLP
    losses: list[float]


def main(
    *,
    width: int = 32,
    depth: int = 2,
    steps: int = 1000,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> Result:
    """Train a network on points that are drawn anew for each step, and compare it with the sine."""
    model_key, data_key = jax.random.split(jax.random.key(seed))
    model = eqx.nn.MLP(1, 1, width, depth, key=model_key)
    optimiser = optax.adam(learning_rate)
    # The optimiser keeps averages for what is differentiated, and for nothing else.
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))

    losses: list[float] = []
    for i, key in enumerate(jax.random.split(data_key, steps)):
        x = jax.random.uniform(key, (batch_size, 1), minval=-jnp.pi, maxval=jnp.pi)
        model, state, value = step(model, optimiser, state, x, jnp.sin(x))
        losses.append(float(value))
        if i % 100 == 0 or i == steps - 1:
            print(f"step {i:4d}   loss {value:.6f}")

    print("\n     x   sin(x)    model")
    for x in jnp.linspace(-3, 3, 7)[:, None]:
        print(f"{x[0]:6.2f} {jnp.sin(x)[0]:8.3f} {model(x)[0]:8.3f}")
    return Result(model, losses)


if __name__ == "__main__":
    main()
