"""A whole training step with Adam: model and optimiser state go in and come out."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx

from ..models import MLP, Parameters, apply, as_dictionaries, example_input
from ..row import Row
from ..timing import Pair
from ..training import Training


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

    x = example_input()
    batch = (x, jnp.ones_like(x))
    model = MLP()
    parameters = as_dictionaries(model)
    return Pair(
        Training(subject_step, model, optimiser.init(eqx.filter(model, eqx.is_inexact_array)), batch),
        Training(floor_step, parameters, optimiser.init(parameters), batch),
    )


ROWS = (Row("training step with Adam", "jax.jit over dictionaries", 1.3, _prepare, ("apply_updates",)),)
