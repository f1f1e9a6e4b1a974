"""Classes in a file whose annotations are strings: everything must be found out without evaluating them too early."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from dataclasses import InitVar
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox import AbstractClassVar, AbstractVar, Module, field
from tests.untyped import untyped

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]


class Tree(Module):
    made: ClassVar[int] = 0
    value: jax.Array = field(converter=jnp.asarray)
    label: str = field(static=True)
    start: InitVar[int]
    child: Tree | None = None
    unknown: Unknown = 3

    def __post_init__(self, start: int) -> None:
        assert start == 5


def unmet(cls: Any) -> tuple[set[str], set[str]]:
    return set(cls.__abstractvars__), set(cls.__abstractclassvars__)


def test_fields_are_told_from_class_variables_and_init_variables() -> None:
    tree = untyped(Tree)(1.0, "leaf", 5, untyped(Tree)(2.0, "leaf", 5))
    assert [f.name for f in dataclasses.fields(Tree)] == ["value", "label", "child", "unknown"]
    assert jax.tree.leaves(tree) == [1.0, 2.0, 3, 3]
    assert jax.tree.map(lambda x: x, tree).label == "leaf"


def test_the_signature_shows_what_is_known() -> None:
    parameters = inspect.signature(Tree).parameters
    assert list(parameters) == ["value", "label", "start", "child", "unknown"]
    assert parameters["label"].annotation == "str"
    assert parameters["value"].annotation == inspect.signature(jnp.asarray).parameters["a"].annotation


def test_abstract_attributes_are_recognised_in_every_spelling() -> None:
    class Abstract(Module):
        a: AbstractVar[int]
        b: eqx.AbstractVar[Unknown]
        c: AbstractClassVar[str]
        d: eqx.AbstractClassVar[Abstract]
        e: Annotated[AbstractVar[int], "in metres"]
        f: int

    assert unmet(Abstract) == ({"a", "b", "e"}, {"c", "d"})
    assert list(untyped(Abstract).__dataclass_fields__) == ["f"]

    class Concrete(Abstract):  # type: ignore[misc]
        a: int
        b: Any = 2
        c: ClassVar[str] = "c"  # pyright: ignore[reportIncompatibleVariableOverride]
        d: typing.ClassVar[Any] = None
        e = 3

    assert unmet(Concrete) == (set(), set())
    assert jax.tree.leaves(untyped(Concrete)(1, 2)) == [1, 2, 2]


def test_a_promised_class_variable_resolves_a_class_attribute_only() -> None:
    class Abstract(Module):
        a: AbstractVar[int]
        b: AbstractVar[int]
        c: AbstractClassVar[int]

    class Child(Abstract):
        a: ClassVar[int]  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
        b: typing.ClassVar[int]  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
        c: ClassVar[int]  # pyright: ignore[reportIncompatibleVariableOverride]

    assert unmet(Child) == ({"a", "b"}, set())


def test_an_abstract_attribute_without_a_type_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"unsubscripted.*AbstractVar"):

        class Wrong(Module):
            attribute: AbstractVar


def test_an_abstract_attribute_that_cannot_be_told_is_an_error_that_says_what_to_do() -> None:
    for annotation in ("nowhere.AbstractVar[int]", "Annotated[nowhere.AbstractVar[int], 1]", "AbstractVar)"):
        namespace = {"__module__": __name__, "__qualname__": "Wrong", "__annotations__": {"attribute": annotation}}
        with pytest.raises(NotImplementedError, match="attribute") as info:
            untyped(type(Module))("Wrong", (Module,), namespace)
        assert annotation in str(info.value)
        assert "module level" in str(info.value)


def test_a_string_that_only_mentions_the_name_is_a_field() -> None:
    namespace = {
        "__module__": __name__,
        "__annotations__": {"x": "typing.Literal['AbstractVar']", "y": "MyAbstractVar"},
    }
    cls = untyped(type(Module))("Mentions", (Module,), namespace)
    assert unmet(cls) == (set(), set())
    assert jax.tree.leaves(cls(1, 2)) == [1, 2]


def test_methods_keep_their_annotations() -> None:
    class Annotated_(Module):  # noqa: N801
        def f(self, x: Unknown) -> Tree: ...  # type: ignore[empty-body]

    assert untyped(Annotated_().f).__annotations__ == {"x": "Unknown", "return": "Tree"}
