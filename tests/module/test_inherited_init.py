import dataclasses
from typing import Any

import jax
import pytest

from equinox import Module, field
from tests.untyped import untyped


class Point(Module):
    x: int
    y: float = 2.0


class CustomParent(Module):
    x: int

    def __init__(self, twice: int) -> None:
        self.x = 2 * twice


def test_a_custom_init_is_inherited_even_where_fields_are_added() -> None:
    class Child(CustomParent):
        y: int = 5

    assert jax.tree.leaves(Child(2).x) == [4]
    assert Child(2).y == 5
    assert "__init__" not in vars(Child)


def test_the_keyword_init_can_only_say_what_is_so_anyway() -> None:
    class Child(CustomParent, init=False):
        y: int = 5

    class Grandchild(Child, init=False):
        pass

    assert (Child(2).x, Grandchild(3).x, Grandchild(3).y) == (4, 6, 5)
    with pytest.raises(TypeError, match="`Uninitialised` neither has nor inherits a handwritten `__init__`"):

        class Uninitialised(Point, init=False):
            z: int = 0


def test_a_custom_init_that_misses_a_field_of_the_subclass_is_an_error() -> None:
    class Child(CustomParent):
        y: int

    with pytest.raises(TypeError, match="Field 'y' was not initialized"):
        untyped(Child)(2)


def test_a_subclass_of_a_class_with_a_generated_init_gets_a_generated_one() -> None:
    class Child(Point):
        z: int = 3

    assert jax.tree.leaves(Child(1, 2.0, 4)) == [1, 2.0, 4]


def test_a_generated_init_can_be_called_from_a_custom_one() -> None:
    class Child(Point):
        z: int = 0

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.z = 7

    assert jax.tree.leaves(Child(x=1)) == [1, 2.0, 7]


def test_the_init_of_a_mixin_before_a_module_counts_as_custom() -> None:
    class Mixin:
        x: Any

        def __init__(self, value: int) -> None:
            self.x = value

    class Converting(Module):
        x: Any = field(converter=str)

    class Mixed(Mixin, Converting):
        pass

    assert Mixed(3).x == "3"
    assert vars(Mixed).get("__init__") is None


def test_the_init_of_a_mixin_after_a_module_does_not_count() -> None:
    class Mixin:
        def __init__(self, nothing: None) -> None:
            raise AssertionError

    class Mixed(Point, Mixin):
        pass

    assert Mixed(1).x == 1


def test_a_plain_dataclass_before_a_module_brings_its_init() -> None:
    @dataclasses.dataclass
    class Plain:
        a: int

    class Mixed(Plain, Module):
        b: int = 3

    mixed = Mixed(1)
    assert (mixed.a, mixed.b) == (1, 3)
    assert "b" not in vars(mixed)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mixed.a = 2


def test_post_init_is_cooperative() -> None:
    calls: list[str] = []

    class Parent(Module):
        x: int

        def __post_init__(self) -> None:
            calls.append("parent")

    class Child(Parent):
        def __post_init__(self) -> None:
            calls.append("child")
            super().__post_init__()

    Child(1)
    assert calls == ["child", "parent"]


def test_a_custom_init_with_a_post_init_is_warned_of_for_the_class_and_each_subclass() -> None:
    with pytest.warns(UserWarning, match=r"`__init__`\s+method and a\s+`__post_init__`") as record:

        class Both(Module):
            def __init__(self) -> None: ...

            def __post_init__(self) -> None:
                raise AssertionError

    assert f"{Both.__module__}.{Both.__qualname__}" in str(record[0].message)
    with pytest.warns(UserWarning, match="__post_init__") as record:

        class Child(Both):
            pass

    assert f"{Child.__module__}.{Child.__qualname__}" in str(record[0].message)
    assert [warning.filename for warning in record] == [__file__]
    Child()
