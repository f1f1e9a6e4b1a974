"""What checkers know of a Module: its fields, its `__init__`, its methods."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final, Generic, Literal, TypeVar, assert_type

import jax
from jax import Array

import equinox as eqx

_T = TypeVar("_T")


class Plain(eqx.Module):
    weight: Array
    bias: Array | None = None
    size: int = eqx.field(static=True, default=1)
    tags: list[str] = eqx.field(default_factory=list[str])
    activation: Callable[[Array], Array] = jax.nn.relu

    def __call__(self, x: Array, *, scale: float = 1.0) -> Array:
        return x

    def method(self, x: Array, size: int = 2) -> tuple[Array, int]:
        return x, size

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weight.shape

    @classmethod
    def make(cls) -> "Plain":
        return cls(jax.numpy.ones(2))


class Special(Plain):
    extra: str = "x"


class OwnInit(eqx.Module):
    sizes: Final[tuple[int, ...]]

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes


class Box(eqx.Module, Generic[_T]):
    content: _T


class Base(eqx.Module):
    order: eqx.AbstractVar[int]
    name: eqx.AbstractClassVar[str]


def construction(x: Array) -> None:
    assert_type(Plain(x), Plain)
    assert_type(Plain(weight=x, bias=None, size=3, tags=["a"], activation=jax.nn.gelu), Plain)
    assert_type(Special(x, x, 2, [], jax.nn.relu, "extra"), Special)
    assert_type(OwnInit(1, 2, 3), OwnInit)
    assert_type(Plain.make(), Plain)
    assert_type(dataclasses.replace(Plain(x), size=3), Plain)


def attributes(plain: Plain, special: Special, base: Base) -> None:
    assert_type(plain.weight, Array)
    assert_type(plain.bias, Array | None)
    assert_type(plain.size, int)
    assert_type(plain.tags, list[str])
    assert_type(plain.activation, Callable[[Array], Array])
    assert_type(plain.shape, tuple[int, ...])
    assert_type(special.weight, Array)
    assert_type(special.extra, str)
    assert_type(base.order, int)
    assert_type(base.name, str)
    assert_type(Base.name, str)


def methods(plain: Plain, x: Array) -> None:
    assert_type(plain(x, scale=2.0), Array)
    assert_type(plain.method(x), tuple[Array, int])
    assert_type(Plain.method(plain, x, size=3), tuple[Array, int])
    assert_type(plain.activation(x), Array)
    assert_type(jax.vmap(plain)(x), Array)  # gap: zuban(partial)
    function: Callable[[Array], Array] = plain
    method: Callable[[Array, int], tuple[Array, int]] = plain.method
    del function, method


def generics(x: Array) -> None:
    assert_type(Box(x), Box[Array])
    assert_type(Box(x).content, Array)
    assert_type(Box([1]).content, list[int])


def narrowing(model: Plain | OwnInit | Box[int]) -> None:
    if isinstance(model, Plain):
        assert_type(model, Plain)
    match model:
        case Box(content=content):
            assert_type(content, int)  # gap: ty(generic-pattern)
        case _:
            assert_type(model, Plain | OwnInit)  # gap: ty(intersection)


def field_options(size: int) -> None:
    assert_type(eqx.field(default=size), int)
    assert_type(eqx.field(default_factory=dict[str, int]), dict[str, int])
    assert_type(eqx.field(converter=str), str)
    assert_type(eqx.field(converter=int, default="3", static=True), int)
    assert_type(eqx.field(converter=len, default_factory=list[int]), int)
    assert_type(eqx.field(static=True, kw_only=True, init=True, repr=False), Any)
    assert_type(eqx.static_field(default=1), Any)


class Twice(eqx.Module):
    function: Callable[[Array], Array]

    @property
    def __wrapped__(self) -> Callable[[Array], Array]:
        return self.function

    def __call__(self, x: Array) -> Array:
        return self.function(self.function(x))


def wrapping(twice: Twice, x: Array) -> None:
    assert_type(eqx.module_update_wrapper(twice), Twice)
    assert_type(eqx.module_update_wrapper(twice, twice.function)(x), Array)


def partial(x: Array, kind: Literal["a", "b"]) -> None:
    def function(x: Array, kind: str, size: int) -> tuple[Array, int]:
        return x, size

    partial = eqx.Partial(function, x, kind=kind)
    assert_type(partial, eqx.Partial[tuple[Array, int]])
    assert_type(partial(size=3), tuple[Array, int])
    assert_type(partial.args, tuple[Any, ...])
    assert_type(partial.keywords, dict[str, Any])
    assert_type(partial.func(x, kind, 3), tuple[Array, int])


def configuration() -> None:
    assert_type(eqx.StrictConfig(), bool | None)
    assert_type(eqx.clear_caches(), None)
