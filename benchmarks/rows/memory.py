"""The memory that stays in use for each configuration that a function was compiled for, in Python's own objects."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..models import MLP, as_list, jit
from ..row import Row
from ..timing import Pair

_CONFIGURATIONS: Final = 20


class _Held:
    """What is still in use after a new function has been called with some configurations."""

    def __init__(self, call: Callable[[], Callable[[int], Any]]) -> None:
        self._call = call

    def result(self) -> Any:
        return self._call()(3)

    def sample(self) -> float:
        call = self._call()
        call(-1)  # what is held once for all configurations does not count
        gc.collect()
        tracemalloc.start()
        for number in range(_CONFIGURATIONS):
            call(number)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held / _CONFIGURATIONS


def _prepare() -> Pair:
    model, x = MLP(), jnp.ones(3)
    arrays = as_list(model)

    def subject() -> Callable[[int], Array]:
        def times(model: object, x: Array, number: int) -> Array:
            return x * number

        function = eqx.filter_jit(times)
        return lambda number: function(model, x, number)

    def floor() -> Callable[[int], Array]:
        def times(arrays: object, x: Array, number: int) -> Array:
            return x * number

        function = jit(times, static_argnums=2)

        def call(number: int) -> Array:
            result: Array = function(arrays, x, number)
            return result

        return call

    return Pair(_Held(subject), _Held(floor))


ROWS = (Row("memory of a compiled configuration", "jax.jit, static_argnums", None, _prepare, unit="B"),)
