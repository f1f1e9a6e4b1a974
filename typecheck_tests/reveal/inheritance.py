"""What checkers know of Modules that build on others."""

import dataclasses
from collections.abc import Callable
from typing import Final, Generic, Self, TypeVar, assert_type

import jax.numpy as jnp
from jax import Array

import equinox as eqx

_Layer = TypeVar("_Layer", bound=eqx.Module)


class Parent(eqx.Module):
    weight: Final[Array]

    def __init__(self, size: int) -> None:
        self.weight = jnp.ones(size)

    def same(self) -> Self:
        return self


class Child(Parent, init=False):
    extra: int = 1


class Wrapper(eqx.Module, Generic[_Layer]):
    layer: _Layer
    others: tuple[_Layer, ...] = ()
    by_name: dict[str, _Layer] = eqx.field(default_factory=dict[str, _Layer])


class Doubled(Wrapper[eqx.nn.Linear], kw_only=True):
    factor: float = 2.0


class Options(eqx.Module):
    size: dataclasses.InitVar[int]
    weight: Array = eqx.field(init=False)
    name: str = dataclasses.field(default="", kw_only=True)
    function: Callable[[Array], Array] | None = None

    def __post_init__(self, size: int) -> None:
        self.weight = jnp.ones(size)


class Base(eqx.Module):
    order: eqx.AbstractVar[int]

    def next(self) -> int:
        return self.order + 1


class Concrete(Base):
    order: int = 1


def inherited(child: Child) -> None:
    assert_type(Child(3), Child)  # gap: zuban(inherited-init)
    assert_type(child.weight, Array)
    assert_type(child.extra, int)
    assert_type(child.same(), Child)


def generic(linear: eqx.nn.Linear, doubled: Doubled) -> None:
    assert_type(Wrapper(linear), Wrapper[eqx.nn.Linear])
    assert_type(Wrapper(linear).layer.weight, Array)
    assert_type(Wrapper(linear, (linear,)).others[0], eqx.nn.Linear)
    assert_type(Wrapper(linear).by_name["a"].bias, Array | None)
    assert_type(Wrapper(Wrapper(linear)).layer.layer, eqx.nn.Linear)
    assert_type(Doubled(linear, factor=3.0), Doubled)
    assert_type(doubled.layer, eqx.nn.Linear)
    assert_type(eqx.tree_at(lambda w: w.layer.weight, doubled, replace_fn=jnp.sin), Doubled)


def options() -> None:
    assert_type(Options(3, None, name="a"), Options)
    assert_type(Options(size=3).weight, Array)
    assert_type(Options(3).function, Callable[[Array], Array] | None)


def abstract(base: Base) -> None:
    assert_type(base.order, int)
    assert_type(Concrete(), Concrete)
    assert_type(Concrete(order=2).order, int)
    assert_type(base.next(), int)
    if isinstance(base, Concrete):
        assert_type(base, Concrete)
