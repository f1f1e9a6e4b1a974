"""The steps of the examples as Flax NNX has them, in an environment in which that is installed.

Its models and optimisers change in place; each step returns them all the same, to look like the others.
"""

import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from .training import Step


def _nnx() -> Any:
    return importlib.import_module("flax.nnx")


def _mlp(arrays: list[Array], activation: Callable[[Array], Array]) -> Any:
    nnx = _nnx()

    class Linear(nnx.Module):  # type: ignore[misc, name-defined] # Flax is not installed where types are checked
        def __init__(self, weight: Array, bias: Array) -> None:
            self.weight = nnx.Param(weight)
            self.bias = nnx.Param(bias)

        def __call__(self, x: Array) -> Array:
            result: Array = self.weight[...] @ x + self.bias[...]
            return result

    class MLP(nnx.Module):  # type: ignore[misc, name-defined] # as above
        def __init__(self) -> None:
            layers = [Linear(w, b) for w, b in zip(arrays[::2], arrays[1::2], strict=True)]
            self.hidden = nnx.List(layers[:-1])
            self.last = layers[-1]

        def __call__(self, x: Array) -> Array:
            for layer in self.hidden:
                x = activation(layer(x))
            result: Array = self.last(x)
            return result

    return MLP()


def _loss(model: Any, x: Array, y: Array) -> Array:
    return jnp.mean((jax.vmap(_function(model))(x) - y) ** 2)


def _function(model: Any) -> Callable[[Array], Array]:
    """The model as a function of its input alone: JAX does not take it for one."""

    def call(x: Array) -> Array:
        result: Array = model(x)
        return result

    return call


def build_model(arrays: list[Array], rate: float) -> tuple[Step, Any, Any]:
    """Gradient descent, leaf by leaf and outside of the compiled function."""
    nnx = _nnx()
    gradient = nnx.jit(nnx.value_and_grad(_loss))

    def descend(leaf: Array, slope: Array) -> Array:
        return leaf - rate * slope

    def step(model: Any, state: None, x: Array, y: Array) -> tuple[Any, None, Array]:
        value, slopes = gradient(model, x, y)
        parameters = nnx.state(model, nnx.Param)
        nnx.update(model, jax.tree.map(descend, parameters, slopes))
        return model, state, value

    return step, _mlp(arrays, jnp.tanh), None


def train_mlp(arrays: list[Array]) -> tuple[Step, Any, Any]:
    """Adam."""
    nnx = _nnx()
    model = _mlp(arrays, jax.nn.relu)

    def step(model: Any, optimizer: Any, x: Array, y: Array) -> Array:
        value, gradient = nnx.value_and_grad(_loss)(model, x, y)
        optimizer.update(model, gradient)
        loss: Array = value
        return loss

    return _in_place(nnx.jit(step)), model, nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param)


def frozen_layer(arrays: list[Array]) -> tuple[Step, Any, Any]:
    """Adam, on the last layer alone."""
    nnx = _nnx()
    model = _mlp(arrays, jnp.tanh)
    last = nnx.All(nnx.Param, nnx.PathContains("last"))

    def step(model: Any, optimizer: Any, x: Array, y: Array) -> Array:
        value, gradient = nnx.value_and_grad(_loss, argnums=nnx.DiffState(0, last))(model, x, y)
        optimizer.update(model, gradient)
        loss: Array = value
        return loss

    return _in_place(nnx.jit(step)), model, nnx.Optimizer(model, optax.adam(1e-2), wrt=last)


def train_rnn(
    parameters: dict[str, Array],
    logit: Callable[[Callable[[str], Array], Array], Array],
    cross_entropy: Callable[[Array, Array], Array],
) -> tuple[Step, Any, Any]:
    """Adam, on a GRU."""
    nnx = _nnx()

    class Classifier(nnx.Module):  # type: ignore[misc, name-defined] # as above
        def __init__(self) -> None:
            for name, value in parameters.items():
                setattr(self, name, nnx.Param(value))

        def __call__(self, points: Array) -> Array:
            return logit(lambda name: getattr(self, name)[...], points)

    def loss(model: Any, points: Array, answers: Array) -> Array:
        return cross_entropy(jax.vmap(_function(model))(points), answers)

    def step(model: Any, optimizer: Any, points: Array, answers: Array) -> Array:
        value, gradient = nnx.value_and_grad(loss)(model, points, answers)
        optimizer.update(model, gradient)
        result: Array = value
        return result

    model = Classifier()
    return _in_place(nnx.jit(step)), model, nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)


def network(
    parameters: Any,
    apply: Callable[[Any, Array], Array],
    cross_entropy: Callable[[Array, Array], Array],
    rate: float,
) -> tuple[Step, Any, Any]:
    """Adam, on a model of any parameters, whose arithmetic is given."""
    nnx = _nnx()

    class Network(nnx.Module):  # type: ignore[misc, name-defined] # as above
        def __init__(self) -> None:
            self.parameters = nnx.data(jax.tree.map(nnx.Param, parameters))

        def __call__(self, x: Array) -> Array:
            return apply(jax.tree.map(value_of, self.parameters, is_leaf=is_parameter), x)

    def is_parameter(node: object) -> bool:
        return isinstance(node, nnx.Param)

    def value_of(parameter: Any) -> Array:
        value: Array = parameter[...]
        return value

    def loss(model: Any, xs: Array, labels: Array) -> Array:
        return cross_entropy(jax.vmap(_function(model))(xs), labels)

    def step(model: Any, optimizer: Any, xs: Array, labels: Array) -> Array:
        value, gradient = nnx.value_and_grad(loss)(model, xs, labels)
        optimizer.update(model, gradient)
        result: Array = value
        return result

    model = Network()
    return _in_place(nnx.jit(step)), model, nnx.Optimizer(model, optax.adam(rate), wrt=nnx.Param)


def _in_place(step: Callable[..., Array]) -> Step:
    def call(model: Any, optimizer: Any, *batch: Array) -> tuple[Any, Any, Array]:
        return model, optimizer, step(model, optimizer, *batch)

    return call
