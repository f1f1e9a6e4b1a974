"""Mistakes with Modules that build on others: in what they leave out, override, or wrap."""

import abc
import dataclasses
from typing import ClassVar, Final, Generic, Protocol, TypeVar

import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Layer(Protocol):
    def __call__(self, x: Array, /) -> Array: ...


_Layer = TypeVar("_Layer", bound=Layer)


class Residual(eqx.Module, Generic[_Layer]):
    layer: _Layer


class Solver(eqx.Module):
    order: eqx.AbstractVar[int]

    @abc.abstractmethod
    def step(self, y: Array) -> Array: ...


class Unfinished(Solver):
    order: int = 1


class Euler(Solver):
    order: str = "one"  # error: mypy[assignment] pyright[reportIncompatibleVariableOverride]

    def step(self, y: int) -> Array:  # error: mypy[override] pyright[reportIncompatibleMethodOverride]
        return jnp.ones(y)


class Parent(eqx.Module):
    weight: Final[Array]

    def __init__(self, size: int) -> None:
        self.weight = jnp.ones(size)


class Overriding(Parent):
    weight: Array  # error: mypy[misc] pyright[reportGeneralTypeIssues]


class Child(Parent, init=False):
    extra: int = 1


class Frozen(eqx.Module, frozen=True):
    weight: Array


# As with dataclasses, being frozen is not inherited, and has to be said of every class.
class Thawed(Frozen):  # error: mypy[misc] pyright[reportGeneralTypeIssues]
    bias: Array


class FrozenChild(Frozen, frozen=True):
    bias: Array


class Options(eqx.Module):
    size: int = dataclasses.field(default=1, kw_only=True)
    names: list[str] = dataclasses.field(default_factory=list[str])
    offset: dataclasses.InitVar[int] = 0
    count: ClassVar[int] = 3

    def __post_init__(self, offset: int) -> None:
        pass


class WrongFactory(eqx.Module):
    names: list[str] = dataclasses.field(default_factory=dict[str, str])  # error: mypy[arg-type] pyright[reportAssignmentType]


def to_array(x: float) -> Array:
    return jnp.asarray(x)


class Converted(eqx.Module):
    mean: Array = eqx.field(converter=to_array)


class WrongConverter(eqx.Module):
    mean: int = eqx.field(converter=to_array)  # error: mypy[assignment] pyright[reportAssignmentType, reportGeneralTypeIssues]


def construction(linear: eqx.nn.Linear, frozen: Frozen, child: FrozenChild) -> None:
    Solver()  # error: mypy[abstract, call-arg] pyright[reportAbstractUsage, reportCallIssue]
    Unfinished()  # error: mypy[abstract] pyright[reportAbstractUsage]  # gap: zuban(abstract-method)
    Residual(3)  # error: mypy[type-var] pyright[reportArgumentType]
    Residual[FrozenChild](linear)  # error: mypy[arg-type, type-var] pyright[reportArgumentType, reportInvalidTypeArguments]
    Residual(linear).layer.wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    Child(weight=jnp.ones(1))  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(inherited-init)
    Converted()  # error: mypy[call-arg] pyright[reportCallIssue]
    Converted("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    Options(["a"], 1, 2)  # error: mypy[call-arg] pyright[reportCallIssue]
    Options([1])  # error: mypy[list-item] pyright[reportArgumentType]
    Options(["a"], "one")  # error: mypy[arg-type] pyright[reportArgumentType]
    dataclasses.replace(frozen, wieght=frozen.weight)  # error: mypy[call-arg]  # gap: pyright(replace) ty(replace)
    Options(count=4)  # error: mypy[call-arg] pyright[reportCallIssue]


def mutation(x: Array, frozen: Frozen, child: FrozenChild, residual: Residual[eqx.nn.Linear]) -> None:
    child.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    child.bias = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    child.weight += x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    residual.layer.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    del frozen.weight  # error: pyright[reportAttributeAccessIssue]  # gap: mypy(deleting) zuban(deleting)
    Child(3).weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
