"""A call returns before its result has been computed: the time until then is that of a call, not of the computation."""

import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..models import MLP, as_list, jit
from ..row import Row
from ..timing import Pair
from .dispatch import FLOOR


class _UntilReturn:
    """A call of a compiled function whose result takes a while, and a single core if it is computed on a CPU."""

    def __init__(self, function: Callable[[], Array]) -> None:
        self._function = function

    def result(self) -> Any:
        return self._function()

    def sample(self) -> float:
        start = time.perf_counter()
        result = self._function()
        end = time.perf_counter()
        result.block_until_ready()
        return end - start


def _compute(_: object, x: Array) -> Array:
    return jnp.sort(x)


def _prepare() -> Pair:
    model, x = MLP(), jnp.linspace(1.0, 0.0, 200_000)
    arrays = as_list(model)
    subject, floor = eqx.filter_jit(_compute), jit(_compute)
    return Pair(_UntilReturn(lambda: subject(model, x)), _UntilReturn(lambda: floor(arrays, x)))


ROWS = (Row("dispatch: filter_jit, until it returns", FLOOR, 1.5, _prepare),)
