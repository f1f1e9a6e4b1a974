"""A whole training step with Adam: model and optimiser state go in and come out."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx

from ..models import MLP, Parameters, apply, as_dictionaries, example_input
from ..row import Row
from ..timing import Pair


class _Training:
    """Steps of a training loop, each on the results of the one before; the device may lag behind until the last."""

    _STEPS = 20

    def __init__(self, step: Callable[..., tuple[Any, Any, Array]], model: Any, state: Any) -> None:
        self._step = step
        self._model = model
        self._state = state

    def result(self) -> Any:
        return self._step(self._model, self._state, *_batch())

    def sample(self) -> float:
        step, model, state = self._step, self._model, self._state
        x, y = _batch()
        start = time.perf_counter()
        model, state, loss = step(model, state, x, y)
        for _ in range(self._STEPS - 1):
            model, state, loss = step(model, state, x, y)
        loss.block_until_ready()
        return (time.perf_counter() - start) / self._STEPS


def _batch() -> tuple[Array, Array]:
    x = example_input()
    return x, jnp.ones_like(x)


def _prepare() -> Pair:
    optimiser = optax.adam(1e-3)

    def subject_loss(model: MLP, x: Array, y: Array) -> Array:
        return jnp.mean((model(x) - y) ** 2)

    @eqx.filter_jit
    def subject_step(model: MLP, state: Any, x: Array, y: Array) -> tuple[MLP, Any, Array]:
        loss, gradient = eqx.filter_value_and_grad(subject_loss)(model, x, y)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, loss

    def floor_loss(parameters: Parameters, x: Array, y: Array) -> Array:
        return jnp.mean((apply(parameters, x) - y) ** 2)

    @jax.jit
    def floor_step(parameters: Parameters, state: Any, x: Array, y: Array) -> tuple[Any, Any, Array]:
        loss, gradient = jax.value_and_grad(floor_loss)(parameters, x, y)
        updates, state = optimiser.update(gradient, state)
        return jax.tree.map(jnp.add, parameters, updates), state, loss

    model = MLP()
    parameters = as_dictionaries(model)
    return Pair(
        _Training(subject_step, model, optimiser.init(eqx.filter(model, eqx.is_inexact_array))),
        _Training(floor_step, parameters, optimiser.init(parameters)),
    )


ROWS = (Row("training step with Adam", "jax.jit over dictionaries", 1.3, _prepare, ("apply_updates",)),)
