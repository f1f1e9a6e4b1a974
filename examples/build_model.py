"""Build a network from nothing but `Module`, hand it to `jax.vmap`, `jax.grad` and `jax.jit`, and train it.

A `Module` is a dataclass that JAX knows as a PyTree. All leaves of this network are arrays, so JAX's own
transformations take it as they take a tuple of arrays. It learns XOR: whether precisely one of two inputs is 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Linear(eqx.Module):
    """An affine map. The fields are the children of the PyTree."""

    weight: Array
    bias: Array

    def __init__(self, in_size: int, out_size: int, *, key: Array) -> None:
        self.weight = jax.random.normal(key, (out_size, in_size)) / jnp.sqrt(in_size)
        self.bias = jnp.zeros(out_size)

    def __call__(self, x: Array) -> Array:
        """From shape `(in_size,)` to `(out_size,)`."""
        return self.weight @ x + self.bias


class MLP(eqx.Module):
    """Affine maps with `tanh` in between. A field may hold other Modules, here in a list."""

    layers: list[Linear]

    def __init__(self, *sizes: int, key: Array) -> None:
        keys = jax.random.split(key, len(sizes) - 1)
        self.layers = [Linear(m, n, key=k) for m, n, k in zip(sizes[:-1], sizes[1:], keys, strict=True)]

    def __call__(self, x: Array) -> Array:
        """From the first of the sizes to the last."""
        *hidden, last = self.layers
        for layer in hidden:
            x = jax.nn.tanh(layer(x))
        return last(x)


def loss(model: MLP, x: Array, y: Array) -> Array:
    """The mean squared error over a batch. The model takes one example; `jax.vmap(model)` takes many."""
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


def descend(
    gradient: Callable[[MLP, Array, Array], MLP], model: MLP, x: Array, y: Array, *, steps: int, learning_rate: float
) -> MLP:
    """Gradient descent. The gradient is an `MLP` too, so that model and gradient go together leaf by leaf."""

    def update(leaf: Array, slope: Array) -> Array:
        return leaf - learning_rate * slope

    for _ in range(steps):
        model = jax.tree.map(update, model, gradient(model, x, y))
    return model


class Result(NamedTuple):
    """What `main` arrives at."""

    model: MLP
    loss_before: float
    loss_after: float


def main(*, width: int = 8, steps: int = 150, learning_rate: float = 0.1, seed: int = 0) -> Result:
    """Train a network with two hidden layers, and print what it answers."""
    x = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = jnp.array([[0.0], [1.0], [1.0], [0.0]])

    model = MLP(2, width, width, 1, key=jax.random.key(seed))
    trained = descend(jax.jit(jax.grad(loss)), model, x, y, steps=steps, learning_rate=learning_rate)
    result = Result(trained, float(loss(model, x, y)), float(loss(trained, x, y)))

    print(f"The model is a PyTree:\n{model}\n")
    print(f"loss before training       {result.loss_before:.6f}")
    print(f"loss after {steps} steps       {result.loss_after:.6f}\n")
    for (a, b), (answer,) in zip(x, jax.vmap(trained)(x), strict=True):
        print(f"{a:.0f} xor {b:.0f} = {answer:z.2f}")
    return result


if __name__ == "__main__":
    main()
