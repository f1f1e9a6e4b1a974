"""Random Modules of every kind of class: how fields are declared, who wrote `__init__`, and what the fields hold."""

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from equinox import Module, Partial, field, module_update_wrapper
from tests.strategies import Bare, Pair, pytrees

_T = TypeVar("_T")

STATIC_VALUES = (0, 1.5, True, None, "text", (1, "a"), frozenset({1}), len, int)


class Child(Pair):
    """Inherits fields, and has one that is private."""

    _hidden: Any = None


class Custom(Module):
    """Has an `__init__` of its own, which leaves one of the defaults alone."""

    a: Any
    unassigned: Any = (1, 2)
    assigned: Any = 3
    mode: Any = field(static=True, default="mode")

    def __init__(self, a: Any, assigned: Any) -> None:
        self.assigned = assigned
        self.a = a


class Converted(Module):
    """Converters, keywords and variables of `__init__` alone."""

    wrapped: Any = field(converter=lambda value: [value])
    raw: dataclasses.InitVar[Any]
    derived: Any = field(init=False)
    option: Any = field(kw_only=True, default=None)

    def __post_init__(self, raw: Any) -> None:
        self.derived = (raw,)


class Slotted(Module):
    __slots__ = ("first",)

    first: Any
    second: Any


class Box(Module, Generic[_T]):
    item: _T

    def method(self) -> _T:
        return self.item


class Named(Module):
    """Wraps a function whose name it takes over."""

    function: Callable[..., Any]
    value: Any

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.function


class Mixin:
    def describe(self) -> str:
        return repr(self)


class Mixed(Mixin, Module):
    __private: Any = 1  # pyright: ignore[reportGeneralTypeIssues]  # for checkers, it has no parameter
    x: Any = 2


def modules(values: SearchStrategy[Any] | None = None) -> SearchStrategy[Any]:
    """Modules whose children are drawn from `values`: random PyTrees by default."""
    child = pytrees(max_leaves=4) if values is None else values
    static = st.sampled_from(STATIC_VALUES)
    return st.one_of(
        st.builds(Bare),
        st.builds(Pair, child, child, static),
        st.builds(Child, child, child, static, child),
        st.builds(Custom, child, child),
        st.builds(Slotted, child, child),
        st.builds(Box[Any], child),
        st.builds(Box, child).map(lambda box: box.method),
        st.builds(Mixed, child, child),
        st.builds(Partial, st.just(max), child, key=child),
        st.builds(lambda value: module_update_wrapper(Named(len, value)), child),
    )
