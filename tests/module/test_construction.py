import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import pytest

from equinox import AbstractClassVar, AbstractVar, Module, field
from tests.untyped import untyped

# In which order things happen


def test_init_then_converters_then_checks_run_in_this_order() -> None:
    log: list[str] = []

    def convert(name: str) -> Callable[[Any], Any]:
        def converter(value: Any) -> Any:
            log.append(f"convert {name} {value}")
            return str(value)

        return converter

    class Parent(Module):
        a: Any = field(converter=convert("a"))

        def __check_init__(self) -> None:
            log.append(f"check parent {self.a!r}")

    class Child(Parent):
        b: Any = field(converter=convert("b"))

        def __new__(cls, a: int, b: int) -> Any:
            log.append("new")
            return super().__new__(cls)

        def __init__(self, a: int, b: int) -> None:
            self.b = b
            self.a = a
            log.append(f"init {self.a} {self.b}")

        def __check_init__(self) -> None:
            log.append(f"check child {self.b!r}")

    Child(1, 2)
    assert log == ["new", "init 1 2", "convert a 1", "convert b 2", "check child '2'", "check parent '1'"]


def test_a_converter_sees_the_value_that_post_init_left() -> None:
    class Doubled(Module):
        x: Any = field(converter=str)

        def __post_init__(self) -> None:
            assert isinstance(self.x, int)
            self.x = 2 * self.x

    assert Doubled(2).x == "4"


def test_converters_run_once_whatever_post_inits_there_are() -> None:
    calls: list[Any] = []

    class Parent(Module):
        x: Any = field(converter=calls.append)

        def __post_init__(self) -> None: ...

    class Child(Parent):
        y: Any = field(converter=calls.append, default=2)

        def __post_init__(self) -> None:
            super().__post_init__()

    class GrandChild(Child):
        z: int = 0

    GrandChild(1)
    assert calls == [1, 2]


def test_a_converter_is_applied_to_a_default_too() -> None:
    class Converted(Module):
        x: Any = field(converter=str, default=1)
        y: Any = field(converter=tuple, default_factory=list)
        z: Any = field(converter=str, init=False, default=3)

    assert vars(Converted()) == {"x": "1", "y": (), "z": "3"}


def test_the_exception_of_a_converter_is_not_touched() -> None:
    error = KeyError("mine")

    def fail(value: Any) -> Any:
        raise error

    class Failing(Module):
        x: Any = field(converter=fail)

    with pytest.raises(KeyError) as info:
        Failing(1)
    assert info.value is error


def test_replacing_fields_constructs_anew() -> None:
    log: list[str] = []

    def convert(value: Any) -> Any:
        log.append("convert")
        return value

    class Logged(Module):
        x: Any = field(converter=convert)

        def __post_init__(self) -> None:
            log.append("post_init")

        def __check_init__(self) -> None:
            log.append("check")

    replaced = dataclasses.replace(untyped(Logged(1)), x=2)
    assert replaced.x == 2
    assert log == ["post_init", "convert", "check"] * 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        replaced.x = 3


# Checks


def test_each_class_is_checked_by_its_own_check_without_super_and_mixins_too() -> None:
    log: list[str] = []

    class Mixin:
        def __check_init__(self) -> None:
            log.append("mixin")

    class Parent(Module):
        x: int

        def __check_init__(self) -> None:
            log.append("parent")

    class Child(Parent, Mixin):
        pass

    class GrandChild(Child):
        def __check_init__(self) -> None:
            log.append("grandchild")

    GrandChild(1)
    assert log == ["grandchild", "parent", "mixin"]


def test_an_exception_in_a_check_stops_the_checks_that_follow() -> None:
    class Parent(Module):
        x: int

        def __check_init__(self) -> None:
            raise AssertionError

    class Child(Parent):
        def __check_init__(self) -> None:
            if self.x < 0:
                raise ValueError("negative")

    with pytest.raises(ValueError, match="negative"):
        Child(-1)


def test_checks_see_an_immutable_instance() -> None:
    class Checked(Module):
        x: int

        def __check_init__(self) -> None:
            self.x = 3

    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        Checked(1)


# Fields that are missing


def test_every_field_that_init_does_not_assign_is_listed() -> None:
    class Incomplete(Module):
        a: int
        b: int
        c: int
        d: int = 4

        def __init__(self) -> None:
            self.b = 1

    with pytest.raises(TypeError) as info:
        Incomplete()
    assert isinstance(info.value, ValueError)
    assert "Field 'a' was not initialized" in str(info.value)
    assert "Field 'c' was not initialized" in str(info.value)
    assert "'b'" not in str(info.value)
    assert "'d'" not in str(info.value)
    assert "Incomplete" in str(info.value)


def test_a_field_that_is_not_for_init_must_be_assigned_by_post_init() -> None:
    class Incomplete(Module):
        a: int = field(init=False)

        def __post_init__(self) -> None: ...

    with pytest.raises(ValueError, match="Field 'a' was not initialized"):
        Incomplete()


def test_a_default_factory_does_not_help_a_custom_init() -> None:
    class Incomplete(Module):
        a: list[int] = field(default_factory=list[int])

        def __init__(self) -> None: ...

    with pytest.raises(ValueError, match="Field 'a' was not initialized"):
        Incomplete()


def test_arguments_that_do_not_fit_are_the_usual_errors() -> None:
    class Point(Module):
        x: int
        y: int

    with pytest.raises(TypeError, match=r"Point.__init__\(\) missing 1 required positional argument: 'y'"):
        untyped(Point)(1)
    with pytest.raises(TypeError, match=r"Point.__init__\(\) takes 3 positional arguments but 4 were given"):
        untyped(Point)(1, 2, 3)
    with pytest.raises(TypeError, match=r"Point.__init__\(\) got an unexpected keyword argument 'z'"):
        untyped(Point)(1, 2, z=3)
    with pytest.raises(TypeError, match=r"Module.__init__\(\) takes 1 positional argument but 2 were given"):
        untyped(Module)(1)


def test_a_field_may_have_any_name_that_python_allows() -> None:
    class Odd(Module):
        self: int
        cls: int
        instance: int
        module: int
        args: int
        object: int
        __private: int = 6  # pyright: ignore[reportGeneralTypeIssues]  # a private field has no parameter for checkers

    odd = untyped(Odd)(self=0, cls=1, instance=2, module=3, args=4, object=5)
    assert jax.tree.leaves(odd) == [0, 1, 2, 3, 4, 5, 6]
    assert jax.tree.map(lambda x: x, odd) == odd


def test_an_init_that_returns_something_is_an_error() -> None:
    class Wrong(Module):
        __init__ = untyped(lambda self: 1)

    with pytest.raises(TypeError, match="should return None"):
        Wrong()


def test_fields_and_defaults_of_every_kind_are_passed_on() -> None:
    class Many(Module):
        a: Any
        b: Any = 2
        c: Any = field(kw_only=True)
        d: Any = field(kw_only=True, default=4)

    assert vars(untyped(Many)(1, c=3)) == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert vars(untyped(Many)(b=1, a=0, d=3, c=2)) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_class_may_have_a_say_in_what_assigning_does() -> None:
    class Logging(Module):
        x: int
        log: ClassVar[list[Any]] = []

        def __setattr__(self, name: str, value: Any) -> None:
            self.log.append((name, value))
            super().__setattr__(name, value)

    logging = Logging(1)
    assert Logging.log == [("x", 1)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        logging.x = 2


# Abstractness


def test_an_abstract_class_cannot_be_instantiated_and_says_so_first() -> None:
    class Abstract(Module, is_abstract=True):
        x: AbstractVar[int]

        def __init__(self) -> None:
            raise AssertionError

        @abc.abstractmethod
        def f(self) -> None: ...

    with pytest.raises(TypeError, match=r"Cannot instantiate abstract.*Abstract"):
        untyped(Abstract)()


def test_subclasses_of_an_abstract_class_are_free() -> None:
    class Abstract(Module, is_abstract=True):
        x: int

    class Concrete(Abstract):
        pass

    assert Concrete(1).x == 1
    with pytest.raises(TypeError, match="Cannot instantiate abstract"):
        Abstract(1)


def test_abstract_class_attributes_are_an_error_before_anything_runs() -> None:
    class Abstract(Module):
        name: AbstractClassVar[str]

        def __init__(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match=r"abstract class attributes.*`name`"):
        Abstract()


def test_abstract_methods_are_the_usual_error() -> None:
    class Abstract(Module):
        @abc.abstractmethod
        def f(self) -> None: ...

    class Concrete(Abstract):
        def f(self) -> None: ...

    with pytest.raises(TypeError, match=r"abstract method '?f"):
        untyped(Abstract)()
    Concrete()


def test_abstract_instance_attributes_are_an_error_after_init_has_run() -> None:
    log: list[str] = []

    class Abstract(Module):
        x: AbstractVar[int]

        def __init__(self) -> None:
            log.append("init")

    with pytest.raises(TypeError, match=r"abstract attributes.*`x`"):
        untyped(Abstract)()
    assert log == ["init"]


# `__new__`


def test_a_new_method_that_makes_the_bare_object_is_followed_by_init() -> None:
    class Bare(Module):
        x: int

        def __new__(cls, x: int) -> Any:
            return object.__new__(cls)

    assert Bare(3).x == 3


def test_a_new_method_may_return_something_else() -> None:
    class Other(Module):
        def __new__(cls) -> Any:
            return 3

    assert untyped(Other)() == 3


def test_a_new_method_may_choose_a_subclass() -> None:
    class Shape(Module):
        size: int

        def __new__(cls, size: int) -> Any:
            return object.__new__(Large if size > 10 else cls)

    class Large(Shape):
        extra: int = 1

    assert type(Shape(1)) is Shape
    large = untyped(Shape(11))
    assert type(large) is Large
    assert vars(large) == {"size": 11, "extra": 1}


def test_a_new_method_may_return_an_instance_that_exists_already() -> None:
    class Interned(Module):
        x: int

        def __new__(cls, x: int) -> Any:
            return instances.setdefault(x, object.__new__(cls))

    instances: dict[int, Any] = {}
    assert Interned(1) is Interned(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Interned(1).x = 2
