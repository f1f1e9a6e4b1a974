"""Mistakes with Modules: in constructing them, in changing them, in declaring them."""

import dataclasses
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import jax.numpy as jnp
from jax import Array

import equinox as eqx

_T = TypeVar("_T")


class Plain(eqx.Module):
    weight: Array
    size: int = eqx.field(static=True, default=1)
    _: dataclasses.KW_ONLY
    name: str = ""

    def method(self, x: Array) -> Array:
        return self.weight


class Child(Plain):
    extra: int = 0


class OwnInit(eqx.Module):
    weight: Array

    def __init__(self, size: int) -> None:
        self.weight = jnp.ones(size)


class FinalFields(eqx.Module):
    weight: Final[Array]
    size: Final[int]

    def __init__(self, size: int) -> None:
        self.weight = jnp.ones(size)
        self.size = size

    def grow(self) -> None:
        self.size = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]


class Frozen(eqx.Module, frozen=True):
    weight: Array

    def clear(self) -> None:
        self.weight = jnp.zeros(1)  # error: mypy[misc] pyright[reportAttributeAccessIssue]  # gap: zuban(frozen-self)


class KeywordsOnly(eqx.Module, kw_only=True):
    size: int


class Box(eqx.Module, Generic[_T]):
    content: _T


class Converted(eqx.Module):
    name: str = eqx.field(converter=str)


class NotInInit(eqx.Module):
    size: int = eqx.field(init=False, default=0)


def construction(x: Array) -> None:
    Plain()  # error: mypy[call-arg] pyright[reportCallIssue]
    Plain("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    Plain(x, "one")  # error: mypy[arg-type] pyright[reportArgumentType]
    Plain(x, 1, "name")  # error: mypy[call-arg] pyright[reportCallIssue]
    Plain(x, nmae="a")  # error: mypy[call-arg] pyright[reportCallIssue]
    Plain(x, name=3)  # error: mypy[arg-type] pyright[reportArgumentType]
    Child(x, 1, "extra")  # error: mypy[arg-type] pyright[reportArgumentType]
    OwnInit()  # error: mypy[call-arg] pyright[reportCallIssue]
    OwnInit("size")  # error: mypy[arg-type] pyright[reportArgumentType]
    OwnInit(weight=x)  # error: mypy[call-arg] pyright[reportCallIssue]
    KeywordsOnly(1)  # error: mypy[call-arg] pyright[reportCallIssue]
    NotInInit(1)  # error: mypy[call-arg] pyright[reportCallIssue]
    dataclasses.replace(3)  # error: mypy[type-var] pyright[reportArgumentType]


def use(x: Array, plain: Plain, box: Box[int]) -> None:
    plain.wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    plain.method()  # error: mypy[call-arg] pyright[reportCallIssue]
    plain.method("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    plain(x)  # error: mypy[operator] pyright[reportCallIssue]
    Plain.method(x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]
    _name: str = box.content  # error: mypy[assignment] pyright[reportAssignmentType]
    _other: Box[str] = box  # error: mypy[assignment] pyright[reportAssignmentType]
    _function: Callable[[int], Array] = plain.method  # error: mypy[assignment] pyright[reportAssignmentType]
    for leaf in plain:  # error  # gap: all(iterating)
        print(leaf)


def mutation(x: Array, plain: Plain, final: FinalFields, frozen: Frozen) -> None:
    final.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    final.size += 1  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    frozen.weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    frozen.wieght = x  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]  # gap: pyrefly(frozen-undeclared)
    plain.wieght = x  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    plain.weight = "text"  # error: mypy[assignment] pyright[reportAttributeAccessIssue]
    # A checker that knew of these would also reject assignments in every `__init__`.
    plain.weight = x  # error  # gap: all(plain-field)
    del plain.weight  # error  # gap: all(plain-field)


class MissingField(eqx.Module):
    weight: Array

    def __init__(self) -> None:
        self.wieght = jnp.ones(1)  # error  # gap: all(undeclared-field)


class WrongType(eqx.Module):
    weight: Array

    def __init__(self) -> None:
        self.weight = "text"  # error: mypy[assignment] pyright[reportAttributeAccessIssue]


class WrongDefault(eqx.Module):
    size: int = eqx.field(default="one")  # error: mypy[assignment] pyright[reportAssignmentType]


class WrongOrder(eqx.Module):
    size: int = 1
    weight: Array  # error: mypy[misc] pyright[reportGeneralTypeIssues]


class UnknownOption(eqx.Module):
    size: int = eqx.field(statc=True)  # error: mypy[call-overload] pyright[reportCallIssue, reportUnknownVariableType]


class FrozenTwice(Frozen, frozen=True):
    def __init__(self) -> None:
        self.weight = jnp.ones(1)  # error: mypy[misc] pyright[reportAttributeAccessIssue]  # gap: zuban(frozen-self)


class Thawed(eqx.Module, frozen=False):  # error  # gap: mypy(frozen-false) pyright(frozen-false) pyrefly(frozen-false) zuban(frozen-false)
    weight: Array


class ThawedAgain(Frozen, frozen=False):  # error: mypy[misc] pyright[reportGeneralTypeIssues]
    bias: Array
