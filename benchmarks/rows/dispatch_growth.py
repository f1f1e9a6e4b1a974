"""Dispatch against the size of the model: the cost must grow in proportion, as that of JAX does."""

from functools import partial
from typing import Any

import equinox as eqx

from ..models import MLP
from ..row import Row
from ..timing import Pair, Work
from .dispatch import FLOOR, no_op

_SIZES = (10, 100, 1_000, 10_000)


class _Slope:
    """The time per leaf: what the largest model costs more than the smallest, over the difference of their sizes."""

    def __init__(self, smallest: Work, largest: Work) -> None:
        self._smallest = smallest
        self._largest = largest

    def result(self) -> Any:
        return self._smallest.result(), self._largest.result()

    def sample(self) -> float:
        return (self._largest.sample() - self._smallest.sample()) / (_SIZES[-1] - _SIZES[0])


def _no_op(leaves: int) -> Pair:
    return Pair(*no_op(eqx.filter_jit, MLP(depth=leaves // 2)))


def _slope() -> Pair:
    smallest, largest = (no_op(eqx.filter_jit, MLP(depth=leaves // 2)) for leaves in (_SIZES[0], _SIZES[-1]))
    return Pair(*map(_Slope, smallest, largest))


ROWS = (
    *(Row(f"dispatch: filter_jit, {leaves:,} leaves", FLOOR, None, partial(_no_op, leaves)) for leaves in _SIZES),
    Row("dispatch: filter_jit, slope per leaf", FLOOR, 1.5, _slope),
)
