"""Train the last layer of a network only: the other layers are frozen, but still traced like all arrays.

A tree of booleans, of the structure of the model, says which leaves to differentiate. Frozen layers are inputs of the
compiled step, not constants in it, so it serves whatever they hold. Here they hold random numbers, and bend the input
in random ways; the last layer learns to combine these into a sine.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx


def loss(model: eqx.nn.MLP, x: Array, y: Array) -> Array:
    """The mean squared error over a batch."""
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


@eqx.jitf(filter_fn=eqx.is_array)
def step(
    model: eqx.nn.MLP,
    trainable: eqx.nn.MLP,
    optimiser: optax.GradientTransformation,
    state: optax.OptState,
    x: Array,
    y: Array,
) -> tuple[eqx.nn.MLP, optax.OptState, Array]:
    """One step of training: every array is traced, and the leaves where `trainable` is `True` are differentiated."""
    value, gradient = eqx.value_and_grad_f(loss, filter_tree=trainable)(model, x, y)
    # Where nothing was differentiated, the gradient and the update are `None`, and `apply_updates` keeps the leaf.
    updates, state = optimiser.update(gradient, state)
    return eqx.apply_updates(model, updates), state, value


def frozen(leaf: object) -> bool:
    """Select nothing."""
    return False


class Result(NamedTuple):
    """What `main` arrives at."""

    before: eqx.nn.MLP
    after: eqx.nn.MLP
    losses: list[float]


def main(*, width: int = 64, steps: int = 500, learning_rate: float = 1e-2, seed: int = 0) -> Result:
    """Train the last layer, and show what has become of each layer."""
    before = eqx.nn.MLP(1, 1, width, depth=2, activation=jnp.tanh, key=jax.random.key(seed))
    trainable: eqx.nn.MLP = jax.tree.map(frozen, before)
    trainable = eqx.tree_at(lambda mlp: (mlp.layers[-1].weight, mlp.layers[-1].bias), trainable, (True, True))

    optimiser = optax.adam(learning_rate)
    state = optimiser.init(eqx.filter(before, trainable))
    x = jnp.linspace(-jnp.pi, jnp.pi, 100)[:, None]
    y = jnp.sin(x)

    model = before
    losses: list[float] = []
    for _ in range(steps):
        model, state, value = step(model, trainable, optimiser, state, x, y)
        losses.append(float(value))

    print(f"loss: {losses[0]:.6f} at first, {losses[-1]:.6f} after {steps} steps\n")
    for i, (old, new) in enumerate(zip(before.layers, model.layers, strict=True)):
        print(f"layer {i}: {'unchanged to the bit' if eqx.tree_equal(old, new) else 'trained'}")
    return Result(before, model, losses)


if __name__ == "__main__":
    main()
