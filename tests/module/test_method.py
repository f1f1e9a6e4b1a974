import abc
import doctest
import functools
import inspect
import pickle
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import jax
import pytest

import equinox as eqx
from equinox import Module
from equinox._module.bound_method import BoundMethod
from equinox._module.method import Method
from tests.untyped import untyped


class Base(Module):
    x: Any

    def method(self, y: int) -> Any:
        """Add to `x`.

        >>> Base(1).method(2)
        3
        """
        return self.x + y

    def _private(self) -> Any:
        return self.x

    def __mangled(self) -> Any:
        return self.x

    def call_mangled(self) -> Any:
        return self.__mangled()

    @jax.jit
    def compiled(self, y: Any) -> Any:
        return self.x + y

    @eqx.filter_jit
    def filtered(self, y: Any) -> Any:
        return self.x + y

    @functools.lru_cache  # noqa: B019  # what is tested
    def cached(self) -> Any:
        return self.x

    add = functools.partialmethod(method, 10)
    short = lambda self: self.x  # noqa: E731  # what is tested

    def __call__(self) -> Any:
        return self.x

    @classmethod
    def make(cls) -> "Base":
        return cls(0)

    @staticmethod
    def static(y: int) -> int:
        return y

    @property
    def double(self) -> Any:
        return 2 * self.x


class Child(Base):
    def method(self, y: int) -> Any:
        return super().method(y) * 10

    def raw_super(self) -> Any:
        return super().method


# What becomes a method


@pytest.mark.parametrize("name", ["method", "_private", "_Base__mangled", "compiled", "cached", "short"])
def test_functions_in_the_class_body_bind_to_pytrees(name: str) -> None:
    bound = getattr(Base(1), name)
    assert type(bound) is BoundMethod
    assert jax.tree.leaves(bound) == [1]


def test_private_methods_can_be_called_by_their_short_name() -> None:
    assert Base(1).call_mangled() == 1


def test_dunder_methods_are_not_affected() -> None:
    base = untyped(Base(1))
    assert type(base.__call__) is types.MethodType
    assert type(base.__hash__) is types.MethodType
    assert base() == 1


def test_other_descriptors_are_not_affected() -> None:
    base = Base(1)
    assert type(base.make) is types.MethodType
    assert base.make() == Base.make() == Base(0)
    assert type(base.static) is types.FunctionType
    assert base.static(3) == 3
    assert base.double == 2
    assert not isinstance(base.add, Module)
    assert base.add() == 11


def test_a_method_found_by_super_is_an_ordinary_bound_method_or_a_pytree_and_works() -> None:
    assert Child(1).method(2) == 30
    assert Child(1).raw_super()(2) == 3


def test_methods_are_inherited_and_overridden() -> None:
    assert Child(1).short() == 1
    assert jax.tree.leaves(Child(1).method) == [1]


def test_a_method_that_jax_compiles_works_where_the_instance_is_a_pytree_of_arrays() -> None:
    assert Base(1.0).compiled(2.0) == 3.0
    assert Base(1.0).filtered(2.0) == 3.0


def test_read_from_the_class_a_method_is_the_function_itself() -> None:
    assert type(Base.method) is types.FunctionType
    assert Base.method(Base(1), 2) == 3
    assert str(inspect.signature(Base.method)) == "(self, y: int) -> Any"
    assert pickle.loads(pickle.dumps(Base.method)) is Base.method
    assert type(vars(Base)["method"]) is Method


def test_a_method_in_the_class_body_looks_like_its_function() -> None:
    method = vars(Base)["method"]
    assert method.__name__ == "method"
    assert method.__doc__ == Base.method.__doc__
    assert method.__module__ == __name__
    assert method.__wrapped__ is Base.method
    assert repr(method) == f"<method {Base.method!r}>"


def test_doctests_in_methods_are_found() -> None:
    tests = doctest.DocTestFinder().find(Base, "Base", module=sys.modules[__name__])
    assert any(test.name == "Base.method" and test.examples for test in tests)


def test_a_field_takes_precedence_over_an_inherited_method_of_the_same_name() -> None:
    class Replaced(Base):
        method: Any

        def __init__(self) -> None:
            self.x = 1
            self.method = 2

    assert Replaced().method == 2


def test_a_function_as_the_default_of_a_field_is_stored_as_it_is() -> None:
    def square(x: int) -> int:
        return x * x

    class Activated(Module):
        activation: Callable[[int], int] = square

    assert Activated().activation is square
    assert Activated().activation(3) == 9
    assert jax.tree.leaves(Activated()) == [square]


def test_abstract_methods_stay_abstract() -> None:
    class Abstract(Module):
        @abc.abstractmethod
        def f(self) -> int: ...

        @property
        @abc.abstractmethod
        def p(self) -> int: ...

    class Concrete(Abstract):
        def f(self) -> int:
            return 1

        @property
        def p(self) -> int:
            return 2

    assert Abstract.__abstractmethods__ == {"f", "p"}
    assert Concrete.__abstractmethods__ == set()
    assert Concrete().f() == 1


# Functions of classes that are no Modules


class Mixin:
    def mixed(self) -> str:
        return f"Mixin {type(self).__name__}"


class Before(Mixin, Module):
    x: int


class After(Module, Mixin):
    x: int


@pytest.mark.parametrize("cls", [Before, After])
def test_functions_of_a_mixin_are_methods_wherever_it_stands(cls: Any) -> None:
    bound = cls(1).mixed
    assert type(bound) is BoundMethod
    assert bound() == f"Mixin {cls.__name__}"
    assert jax.tree.leaves(bound) == [1]
    assert cls.mixed is Mixin.mixed
    assert type(Mixin().mixed) is types.MethodType


def test_a_mixin_of_the_standard_library_is_a_mixin_too() -> None:
    class Dictionary(Module, Mapping[str, int]):  # type: ignore[misc]  # two answers to what `==` gives
        items_: dict[str, int]

        def __getitem__(self, key: str) -> int:
            return self.items_[key]

        def __iter__(self) -> Any:
            return iter(self.items_)

        def __len__(self) -> int:
            return len(self.items_)

    dictionary = Dictionary({"a": 1})
    assert dictionary.get("b", 2) == 2
    assert isinstance(dictionary.get, BoundMethod)


def test_what_a_mixin_defines_is_found_in_the_order_of_the_mro() -> None:
    class Override(Mixin):
        def mixed(self) -> str:
            return f"Override of {super().mixed()}"

    class Own(Before):
        def mixed(self) -> str:
            return f"Own of {super().mixed()}"

    class Both(Before, Override):
        pass

    class Late(After):
        pass

    assert Both(1).mixed() == "Override of Mixin Both"
    assert Own(1).mixed() == "Own of Mixin Own"
    assert Late(1).mixed() == "Mixin Late"
    assert isinstance(Both(1).mixed, BoundMethod)


def test_a_function_of_a_mixin_can_be_overridden_by_anything() -> None:
    class Without(Before):
        mixed = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    assert Without(1).mixed is None


def test_a_method_of_a_module_comes_before_a_mixin_that_stands_after_it() -> None:
    class Parent(Module):
        def mixed(self) -> str:
            return "Parent"

    class Mixed(Parent, Mixin):
        pass

    assert Mixed().mixed() == "Parent"


def test_what_a_class_has_in_its_dict_can_be_wrapped_by_a_parent_that_watches_its_subclasses() -> None:
    class Doubling(Module):
        x: int

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            found: Any = vars(cls)["value"]

            @functools.wraps(found)
            def value(self: Any, *args: int) -> int:
                return 2 * found(self, *args)

            untyped(cls).value = value

        def value(self, y: int) -> int:
            return self.x + y

    class Child(Doubling):
        def value(self, y: int) -> int:
            return self.x * y

    assert Child(3).value(5) == 30
    assert isinstance(Child(3).value, BoundMethod)
    assert inspect.signature(Child(3).value) == inspect.signature(Doubling(3).value)
