"""A training loop whose program has work of its own, such as reading the next batch, while the device computes.

Where calls return before their results are there, the loop takes as long as the longer of the two works. Where they
wait, it takes as long as both together.
"""

import time
from typing import Any

import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..models import MLP, apply, as_dictionaries, jit
from ..row import Row
from ..timing import Pair
from ..training import Training

# A part of the step that takes a while on one core, so that another is free for the program itself.
_SIZE = 60_000


def _slowly(values: Array) -> Array:
    return jnp.sort(values)[0]


def _prepare() -> Pair:
    model, values = MLP(), jnp.linspace(1.0, 0.0, _SIZE)
    x = jnp.linspace(-1.0, 1.0, model.width)
    parameters = as_dictionaries(model)

    @eqx.filter_jit
    def subject_step(model: MLP, state: Array, x: Array, values: Array) -> tuple[MLP, Array, Array]:
        state = state + _slowly(values)
        return model, state, jnp.sum(model(x)) + state

    def floor(parameters: Any, state: Array, x: Array, values: Array) -> tuple[Any, Array, Array]:
        state = state + _slowly(values)
        return parameters, state, jnp.sum(apply(parameters, x)) + state

    floor_step = jit(floor)
    state = jnp.array(0.0)
    floor_step(parameters, state, x, values)[1].block_until_ready()  # compiles it
    start = time.perf_counter()
    floor_step(parameters, state, x, values)[1].block_until_ready()
    seconds = time.perf_counter() - start

    def meanwhile() -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    batch = (x, values)
    return Pair(
        Training(subject_step, model, state, batch, meanwhile),
        Training(floor_step, parameters, state, batch, meanwhile),
    )


ROWS = (Row("training loop with other work in between", "jax.jit over dictionaries", 1.1, _prepare),)
