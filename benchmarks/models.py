"""The model that is measured, as Modules and as what JAX alone would have: dictionaries, and a flat list of arrays."""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import equinox as eqx

#: Small, because what is measured is the way to the arrays, not the arithmetic.
WIDTH: Final = 8
DEPTH: Final = 21

Parameters: TypeAlias = dict[str, dict[str, dict[str, Array]]]


class Linear(eqx.Module):
    """`weight @ x + bias`, with the fields that such a layer has in practice."""

    weight: Array
    bias: Array
    in_features: int = eqx.field(static=True)
    out_features: int = eqx.field(static=True)
    use_bias: bool = eqx.field(static=True)

    def __init__(self, weight: Array, bias: Array) -> None:
        self.weight = weight
        self.bias = bias
        self.out_features, self.in_features = weight.shape
        self.use_bias = True

    def __call__(self, x: Array) -> Array:
        """The layer's output for one example."""
        return self.weight @ x + self.bias


class MLP(eqx.Module):
    """Linear layers with activations in between: two leaves each, and the two activations."""

    layers: tuple[Linear, ...]
    activation: Callable[[Array], Array]
    final_activation: Callable[[Array], Array]
    width: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)

    def __init__(self, depth: int = DEPTH, activation: Callable[[Array], Array] = jax.nn.relu) -> None:
        self.layers = tuple(Linear(weight, bias) for weight, bias in _weights_and_biases(depth))
        self.activation = activation
        self.final_activation = jnp.tanh
        self.width = WIDTH
        self.depth = depth

    def __call__(self, x: Array) -> Array:
        """The network's output for one example."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.final_activation(self.layers[-1](x))


def _weights_and_biases(depth: int) -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(0)
    scale = 1 / math.sqrt(WIDTH)
    arrays = [
        (rng.normal(scale=scale, size=(WIDTH, WIDTH)).astype(np.float32), np.zeros(WIDTH, np.float32))
        for _ in range(depth)
    ]
    placed: list[tuple[Array, Array]] = jax.device_put(arrays)
    return placed


def jit(function: Callable[..., Any], static_argnums: int | None = None) -> Callable[..., Any]:
    """`jax.jit`, without the types that JAX does not know itself."""
    return jax.jit(function, static_argnums=static_argnums)


def as_dictionaries(model: MLP) -> Parameters:
    """The arrays of the model in nested dictionaries, under the same names."""
    layers = {str(i): {"weight": layer.weight, "bias": layer.bias} for i, layer in enumerate(model.layers)}
    return {"layers": layers}


def as_list(model: MLP) -> list[Array]:
    """The arrays of the model in the order of its leaves."""
    return [array for layer in model.layers for array in (layer.weight, layer.bias)]


def from_list(arrays: list[Array]) -> Any:
    """`as_dictionaries`, from `as_list`."""
    pairs = zip(arrays[::2], arrays[1::2], strict=True)
    return {"layers": {str(i): {"weight": weight, "bias": bias} for i, (weight, bias) in enumerate(pairs)}}


def apply(parameters: Parameters, x: Array) -> Array:
    """What calling the model does."""
    layers = [parameters["layers"][str(i)] for i in range(len(parameters["layers"]))]
    for layer in layers[:-1]:
        x = jax.nn.relu(layer["weight"] @ x + layer["bias"])
    return jnp.tanh(layers[-1]["weight"] @ x + layers[-1]["bias"])


def example_input() -> Array:
    """An argument for the model."""
    return jnp.linspace(-1.0, 1.0, WIDTH)


def same(leaf: Any) -> Any:
    """What `jax.tree.map` is to do with a leaf, if it is to do nothing."""
    return leaf
