# This is about what happens at run time, where checkers see something else:
# mypy: disable-error-code="misc, override, valid-type"
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false
# pyright: reportGeneralTypeIssues=false, reportInvalidTypeForm=false

import typing
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import pytest

from equinox import AbstractClassVar, AbstractVar, Module
from tests.untyped import untyped

_T = TypeVar("_T")


class Base(Module):
    x: AbstractVar[int]
    c: AbstractClassVar[str]


def unmet(cls: Any) -> tuple[set[str], set[str]]:
    return set(cls.__abstractvars__), set(cls.__abstractclassvars__)


# What a declaration is


def test_the_abstract_attributes_of_a_class_can_be_asked_for() -> None:
    assert unmet(Base) == ({"x"}, {"c"})
    assert isinstance(untyped(Base).__abstractvars__, frozenset)
    assert isinstance(untyped(Base).__abstractclassvars__, frozenset)
    assert unmet(Module) == (set(), set())


def test_a_declaration_is_no_field_and_stays_in_the_annotations() -> None:
    assert untyped(Base).__dataclass_fields__ == {}
    assert list(Base.__annotations__) == ["x", "c"]
    assert typing.get_type_hints(Base)["x"] is int


def test_the_position_of_a_field_is_where_it_is_made_concrete() -> None:
    class Abstract(Module):
        x: AbstractVar[int]
        y: int

    class Concrete(Abstract):
        z: int
        x: int

    assert vars(untyped(Concrete)(1, 2, 3)) == {"y": 1, "z": 2, "x": 3}


# What resolves a declaration, on an attribute and on a class attribute


def by_nothing() -> Any:
    class Child(Base):
        pass

    return Child


def by_variables() -> Any:
    class Child(Base):
        x: AbstractVar[int]
        c: AbstractVar[str]

    return Child


def by_class_variables() -> Any:
    class Child(Base):
        x: AbstractClassVar[int]
        c: AbstractClassVar[str]

    return Child


def by_fields() -> Any:
    class Child(Base):
        x: int
        c: str

    return Child


def by_promises() -> Any:
    class Child(Base):
        x: ClassVar[int]
        c: ClassVar[str]

    return Child


def by_typed_values() -> Any:
    class Child(Base):
        x: ClassVar[int] = 1
        c: ClassVar[str] = ""

    return Child


def by_values() -> Any:
    class Child(Base):
        x = 1
        c = ""

    return Child


def by_properties() -> Any:
    class Child(Base):
        x = untyped(property(lambda self: 1))
        c = untyped(property(lambda self: ""))

    return Child


def by_methods() -> Any:
    class Child(Base):
        def x(self) -> None: ...

        @classmethod
        def c(cls) -> None: ...

    return Child


def by_mixins() -> Any:
    class Mixin:
        x = 1

        def c(self) -> None: ...

    class Child(Mixin, Base):
        pass

    return Child


@pytest.mark.parametrize(
    ("make", "variables", "class_variables"),
    [
        (by_nothing, {"x"}, {"c"}),
        (by_variables, {"x"}, {"c"}),
        (by_class_variables, set(), {"x", "c"}),
        (by_fields, set(), set()),
        (by_promises, {"x"}, set()),
        (by_typed_values, set(), set()),
        (by_values, set(), set()),
        (by_properties, set(), set()),
        (by_methods, set(), set()),
        (by_mixins, set(), set()),
    ],
)
def test_what_resolves_an_abstract_attribute(make: Any, variables: set[str], class_variables: set[str]) -> None:
    assert unmet(make()) == (variables, class_variables)

    class GrandChild(make()):
        pass

    assert unmet(GrandChild) == (variables, class_variables)


def test_an_attribute_may_become_abstract_again() -> None:
    class Concrete(Module):
        x: int = 1

    class Again(Concrete):
        x: AbstractVar[int]

    assert unmet(Again) == ({"x"}, set())


def test_in_multiple_inheritance_the_class_that_comes_first_resolves() -> None:
    class A(Module):
        x: AbstractVar[int]

    class B(Module):
        x: int

    class C(B, A):
        pass

    class D(A, B):
        pass

    assert unmet(C) == (set(), set())
    assert C(1).x == 1
    assert unmet(D) == ({"x"}, set())


def test_a_concrete_class_of_each_kind_can_be_instantiated() -> None:
    class Concrete(Base):
        x: int
        c = "name"

    class Computed(Base):
        x = untyped(property(lambda self: 3))
        c: ClassVar[str] = "name"

    assert (untyped(Concrete)(1).x, Concrete.c) == (1, "name")
    assert untyped(Computed)().x == 3


def test_a_generic_class_may_declare_abstract_attributes() -> None:
    class Abstract(Module, Generic[_T]):
        x: AbstractVar[_T]

    class Concrete(Abstract[int]):
        x: int

    assert unmet(Abstract) == ({"x"}, set())
    assert Concrete(1).x == 1


def test_init_subclass_may_read_the_attributes_of_the_class_that_is_made() -> None:
    seen: list[str] = []

    class Parent(Module):
        c: AbstractClassVar[str]

        def __init_subclass__(cls) -> None:
            seen.append(cls.c)

    class Child(Parent):
        c = "child"

    assert seen == ["child"]
    assert unmet(Child) == (set(), set())


def test_annotated_declarations_are_recognised() -> None:
    class Abstract(Module):
        x: Annotated[AbstractVar[int], "in metres"]
        c: Annotated[AbstractClassVar[int], "a constant"]
        other: Annotated[int, "a field"] = 1

    assert unmet(Abstract) == ({"x"}, {"c"})
    assert list(untyped(Abstract).__dataclass_fields__) == ["other"]


# Misuse


@pytest.mark.parametrize("kind", [AbstractVar, AbstractClassVar])
def test_a_declaration_without_a_type_is_an_error_that_names_the_attribute(kind: Any) -> None:
    with pytest.raises(TypeError, match="unsubscripted") as info:

        class Wrong(Module):
            attribute: kind

    assert "attribute" in str(info.value)
    assert kind.__name__ in str(info.value)


@pytest.mark.parametrize("kind", [AbstractVar, AbstractClassVar])
def test_a_declaration_with_several_types_is_an_error(kind: Any) -> None:
    with pytest.raises(TypeError, match="one type") as info:
        kind[int, str]
    assert kind.__name__ in str(info.value)


@pytest.mark.parametrize("kind", [AbstractVar, AbstractClassVar])
def test_a_declaration_with_a_value_is_an_error_that_names_attribute_and_value(kind: Any) -> None:
    with pytest.raises(TypeError, match="cannot have value 'a value'") as info:

        class Wrong(Module):
            attribute: kind[str] = "a value"

    assert "attribute" in str(info.value)
    assert kind.__name__ in str(info.value)
