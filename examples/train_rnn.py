"""Train a recurrent network to tell clockwise spirals from anticlockwise ones.

`jax.lax.scan` carries the hidden state of a `GRUCell` along the points of a spiral. That needs nothing special: the
cell is a function of a point and a hidden state.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx


def spirals(count: int, *, length: int = 32, key: Array) -> tuple[Array, Array]:
    """Draw spirals of random directions, starting angles and sizes, with some noise.

    Returns the points, of shape `(count, length, 2)`, and 1.0 for clockwise or 0.0, of shape `(count,)`.
    """
    direction_key, angle_key, size_key, noise_key = jax.random.split(key, 4)
    clockwise = jax.random.bernoulli(direction_key, shape=(count, 1))
    start = jax.random.uniform(angle_key, (count, 1), maxval=2 * jnp.pi)
    size = jax.random.uniform(size_key, (count, 1), minval=0.5, maxval=1.5)

    time = jnp.linspace(0, 1, length)
    angle = start + jnp.where(clockwise, -1, 1) * 4 * jnp.pi * time
    points = (size * time)[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    points += 0.05 * jax.random.normal(noise_key, points.shape)
    return points, clockwise[:, 0].astype(points.dtype)


class Classifier(eqx.Module):
    """A GRU that reads a sequence, and an affine map from its last hidden state to the logit of the answer."""

    cell: eqx.nn.GRUCell
    readout: eqx.nn.Linear

    def __init__(self, hidden_size: int, *, key: Array) -> None:
        cell_key, readout_key = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(2, hidden_size, key=cell_key)
        self.readout = eqx.nn.Linear(hidden_size, "scalar", key=readout_key)

    def __call__(self, points: Array) -> Array:
        """From points, of shape `(length, 2)`, to the logit of "clockwise"."""

        def advance(hidden: Array, point: Array) -> tuple[Array, None]:
            return self.cell(point, hidden), None

        hidden, _ = jax.lax.scan(advance, jnp.zeros(self.cell.hidden_size), points)
        return self.readout(hidden)


@eqx.value_and_grad_f(filter_fn=eqx.is_inexact_array)
def loss(model: Classifier, points: Array, clockwise: Array) -> Array:
    """The binary cross-entropy: minus the logarithm of the probability that was given to the right answer."""
    logits = jax.vmap(model)(points)
    return -jnp.mean(clockwise * jax.nn.log_sigmoid(logits) + (1 - clockwise) * jax.nn.log_sigmoid(-logits))


@eqx.jitf(filter_fn=eqx.is_array)
def step(
    model: Classifier, optimiser: optax.GradientTransformation, state: optax.OptState, points: Array, clockwise: Array
) -> tuple[Classifier, optax.OptState, Array]:
    """One step of training."""
    value, gradient = loss(model, points, clockwise)
    updates, state = optimiser.update(gradient, state)
    return eqx.apply_updates(model, updates), state, value


@eqx.jitf(filter_fn=eqx.is_array)
def accuracy(model: Classifier, points: Array, clockwise: Array) -> Array:
    """The share of right answers."""
    return jnp.mean((jax.vmap(model)(points) > 0) == clockwise)


class Result(NamedTuple):
    """What `main` arrives at."""

    model: Classifier
    losses: list[float]
    accuracy: float


def main(
    *,
    hidden_size: int = 16,
    steps: int = 300,
    batch_size: int = 64,
    held_out: int = 1000,
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> Result:
    """Train on spirals that are drawn anew for each step, and test on others."""
    model_key, train_key, test_key = jax.random.split(jax.random.key(seed), 3)
    model = Classifier(hidden_size, key=model_key)
    optimiser = optax.adam(learning_rate)
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))

    losses: list[float] = []
    for i, key in enumerate(jax.random.split(train_key, steps)):
        points, clockwise = spirals(batch_size, key=key)
        model, state, value = step(model, optimiser, state, points, clockwise)
        losses.append(float(value))
        if i % 50 == 0 or i == steps - 1:
            print(f"step {i:3d}   loss {value:.4f}")

    share = float(accuracy(model, *spirals(held_out, key=test_key)))
    print(f"\n{share:.1%} of {held_out} held-out spirals are recognised")
    return Result(model, losses, share)


if __name__ == "__main__":
    main()
