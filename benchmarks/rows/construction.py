"""Making an instance of a Module with two fields."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..row import Row
from ..timing import Expression, Pair

_FLOOR = "frozen dataclass"


class _Generated(eqx.Module):
    first: Array
    second: Array


@dataclasses.dataclass(frozen=True)
class _GeneratedFloor:
    first: Array
    second: Array


class _Own(eqx.Module):
    first: Array
    second: Array

    def __init__(self, first: Array, second: Array) -> None:
        self.first = first
        self.second = second


@dataclasses.dataclass(frozen=True, init=False)
class _OwnFloor:
    first: Array
    second: Array

    def __init__(self, first: Array, second: Array) -> None:
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "second", second)


def _prepare(subject: type[Any], floor: type[Any]) -> Pair:
    arrays = {"a": jnp.zeros(3), "b": jnp.ones(3)}

    def construction(cls: type[Any]) -> Expression:
        return Expression("cls(a, b)", {"cls": cls, **arrays}, view=_fields)

    return Pair(construction(subject), construction(floor))


def _fields(instance: Any) -> dict[str, Any]:
    return {"first": instance.first, "second": instance.second}


ROWS = (
    Row("construct a Module", _FLOOR, 3.0, lambda: _prepare(_Generated, _GeneratedFloor)),
    Row("construct a Module, own __init__", f"{_FLOOR}, own __init__", 3.0, lambda: _prepare(_Own, _OwnFloor)),
)
