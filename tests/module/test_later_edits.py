import abc
import dataclasses
from typing import Any

import jax
import pytest

from equinox import Module, field
from equinox._module.bound_method import BoundMethod
from tests.untyped import untyped


def test_class_attributes_can_be_assigned_and_deleted() -> None:
    class Editable(Module):
        x: int

    editable = untyped(Editable)
    editable.constant = 3
    assert editable(1).constant == 3
    del editable.constant
    assert not hasattr(editable(1), "constant")


def test_a_function_that_is_added_becomes_a_method() -> None:
    class Editable(Module):
        x: int

    editable = untyped(Editable)
    editable.double = lambda self: 2 * self.x
    method = editable(2).double
    assert isinstance(method, BoundMethod)
    assert method() == 4
    assert jax.tree.leaves(method) == [2]


def test_an_init_that_replaces_another_takes_effect_and_is_followed_by_converters_and_checks() -> None:
    checked: list[Any] = []

    class Editable(Module):
        x: Any = field(converter=str)

        def __check_init__(self) -> None:
            checked.append(self.x)

    editable = untyped(Editable)

    def init(self: Any, value: int) -> None:
        self.x = value + 1

    class Child(Editable):
        pass

    editable.__init__ = init
    assert editable(1).x == "2"
    assert checked == ["2"]
    # A subclass made before still has a generated one, as does a subclass that is made now.
    assert Child(1).x == "1"

    class Late(Editable):
        pass

    assert Late(1).x == "1"


def test_an_init_that_replaces_a_generated_one_must_assign_every_field() -> None:
    class Editable(Module):
        x: int

    editable = untyped(Editable)

    def init(self: Any) -> None: ...

    editable.__init__ = init
    with pytest.raises(TypeError, match="Field 'x' was not initialized"):
        editable()


def test_a_wrapped_generated_init_still_runs() -> None:
    class Editable(Module):
        x: int

    editable = untyped(Editable)

    generated = editable.__init__
    calls: list[int] = []

    def init(self: Any, x: int) -> None:
        calls.append(x)
        generated(self, x)

    editable.__init__ = init
    assert editable(1).x == 1
    assert calls == [1]


def test_a_post_init_that_replaces_another_takes_effect() -> None:
    class Editable(Module):
        x: int
        y: int = field(init=False)

        def __post_init__(self) -> None:
            self.y = 0

    editable = untyped(Editable)

    def post_init(self: Any) -> None:
        self.y = 2 * self.x

    editable.__post_init__ = post_init
    assert editable(3).y == 6


def test_a_check_init_that_is_added_or_deleted_takes_effect_also_in_subclasses() -> None:
    class Editable(Module):
        x: int

    editable = untyped(Editable)

    class Child(Editable):
        pass

    def check_init(self: Any) -> None:
        raise ValueError("checked")

    editable.__check_init__ = check_init
    for cls in (editable, Child):
        with pytest.raises(ValueError, match="checked"):
            cls(1)
    del editable.__check_init__
    assert Child(1).x == 1


# Redecorating


def test_a_module_class_can_be_decorated_as_a_dataclass_again() -> None:
    @dataclasses.dataclass(eq=False, repr=False)
    class Redecorated(Module):
        x: int
        y: int = 2

        def double(self) -> int:
            return 2 * self.x

    assert jax.tree.leaves(Redecorated(1)) == [1, 2]
    assert jax.tree.map(lambda x: x + 1, Redecorated(1)) == Redecorated(2, 3)
    assert isinstance(Redecorated(1).double, BoundMethod)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Redecorated(1).x = 3


def test_redecorating_keeps_what_is_abstract() -> None:
    @dataclasses.dataclass(eq=False)
    class Abstract(Module):
        @abc.abstractmethod
        def f(self) -> None: ...

    with pytest.raises(TypeError, match="abstract method"):
        untyped(Abstract)()


def test_redecorating_as_frozen_fails_as_in_the_standard_library() -> None:
    class Thawed(Module):
        pass

    with pytest.raises(TypeError, match="cannot inherit frozen dataclass from a non-frozen one"):
        dataclasses.dataclass(frozen=True)(Thawed)
