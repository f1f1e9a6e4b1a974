"""The first call of a function: tracing it, and compiling the result."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..models import MLP, Parameters, apply, as_dictionaries, example_input
from ..row import Row
from ..timing import Calls, Pair


# Each time another function, because JAX remembers those it knows.
def _new_subject() -> Any:
    def loss(model: MLP, x: Array) -> Array:
        return jnp.sum(model(x) ** 2)

    return eqx.filter_jit(eqx.filter_grad(loss))


def _new_floor() -> Any:
    def loss(parameters: Parameters, x: Array) -> Array:
        return jnp.sum(apply(parameters, x) ** 2)

    return jax.jit(jax.grad(loss))


def _prepare(start: Callable[[Any, Any, Array], Any], view: Callable[[Any], Any]) -> Pair:
    model, x = MLP(), example_input()
    parameters = as_dictionaries(model)
    return Pair(
        Calls(lambda: start(_new_subject(), model, x), view),
        Calls(lambda: start(_new_floor(), parameters, x), view),
    )


def _trace() -> Pair:
    def start(function: Any, model: Any, x: Array) -> Any:
        return function.lower(model, x)

    return _prepare(start, view=lambda lowered: jnp.asarray(lowered.as_text().count("stablehlo.dot_general")))


def _trace_and_compile() -> Pair:
    def start(function: Any, model: Any, x: Array) -> Any:
        return function(model, x)

    return _prepare(start, view=lambda gradient: gradient)


_FLOOR = "the same over dictionaries"

ROWS = (
    Row("trace and lower jit(grad)", _FLOOR, None, _trace),
    Row("trace and compile jit(grad)", _FLOOR, 1.05, _trace_and_compile),
)
