"""Dispatch from several threads at once, which must not wait for each other more than they do in JAX."""

import concurrent.futures
import itertools
import time
from typing import Any

import equinox as eqx

from ..models import MLP
from ..row import Row
from ..timing import Pair, Work
from .dispatch import FLOOR, no_op

_THREADS = 4
#: In each thread: together longer than the five milliseconds after which Python lets another thread run.
_CALLS = 250


class _InThreads:
    """The same work in several threads at once; the time is that of one call, if they are made one after another."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._executor = concurrent.futures.ThreadPoolExecutor(_THREADS)

    def result(self) -> Any:
        return [future.result() for future in [self._executor.submit(self._work.result) for _ in range(_THREADS)]]

    def sample(self) -> float:
        start = time.perf_counter()
        for future in [self._executor.submit(self._repeat) for _ in range(_THREADS)]:
            future.result()
        return (time.perf_counter() - start) / (_THREADS * _CALLS)

    def _repeat(self) -> None:
        for _ in itertools.repeat(None, _CALLS):
            self._work.result()


def _prepare() -> Pair:
    return Pair(*map(_InThreads, no_op(eqx.filter_jit, MLP())))


ROWS = (Row(f"dispatch: filter_jit, {_THREADS} threads", FLOOR, 1.5, _prepare),)
