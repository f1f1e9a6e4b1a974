import abc
import dataclasses
import gc
import inspect
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import pytest
from beartype import beartype
from jaxtyping import Array, Float, jaxtyped

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


# While `__init__` runs


class Half(Module):
    """Hands itself out before it is complete, and may fail then."""

    a: int
    b: int

    def __init__(self, hand_out: Callable[["Half"], None], b: int = 2) -> None:
        self.a = 1
        hand_out(self)
        self.b = b


def test_in_init_the_instance_has_its_class_already() -> None:
    seen: list[Any] = []
    half = Half(lambda instance: seen.extend([type(instance), isinstance(instance, Half), instance.a]))
    assert seen == [Half, True, 1]
    assert type(half) is Half


def test_methods_called_from_init_may_set_fields() -> None:
    class Helped(Module):
        x: int

        def __init__(self) -> None:
            self.help()

        def help(self) -> None:
            self.x = 1

    helped = Helped()
    assert helped.x == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        helped.help()


def test_constructions_nest() -> None:
    class Nested(Module):
        depth: int
        inner: "Nested | None"

        def __init__(self, depth: int) -> None:
            self.inner = Nested(depth - 1) if depth else None
            self.depth = depth

    nested = Nested(5)
    assert jax.tree.leaves(nested) == [5, 4, 3, 2, 1, 0]
    assert nested.inner is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        nested.inner.depth = 3


def test_an_instance_may_be_printed_and_flattened_before_it_is_complete() -> None:
    leaves: list[Any] = []
    texts: list[str] = []

    def look(half: Half) -> None:
        leaves.extend(jax.tree.leaves(jax.tree.map(lambda x: x, half)))
        texts.append(repr(half))

    assert jax.tree.leaves(Half(look)) == [1, 2]
    assert leaves == [1]
    assert "a=1" in texts[0]


@pytest.mark.parametrize("fails", ["init", "post_init", "converter", "check"])
def test_an_instance_whose_construction_fails_is_immutable_and_is_freed(fails: str) -> None:
    class FailureError(Exception):
        pass

    leaked: list[Any] = []

    def fail(self: Any, stage: str) -> None:
        if stage == fails:
            leaked.append(self)
            raise FailureError

    def convert(value: Any) -> Any:
        if fails == "converter":
            raise FailureError
        return value

    class Custom(Module):
        x: Any = field(converter=convert)

        def __init__(self) -> None:
            self.x = 1
            leaked.append(self)
            fail(self, "init")

        def __check_init__(self) -> None:
            fail(self, "check")

    class Generated(Module):
        x: Any = field(converter=convert, default=1)

        def __post_init__(self) -> None:
            leaked.append(self)
            fail(self, "post_init")

    cls = Generated if fails == "post_init" else Custom
    with pytest.raises(FailureError):
        cls()
    with pytest.raises(dataclasses.FrozenInstanceError):
        leaked[0].x = 2
    reference = weakref.ref(leaked[0])
    leaked.clear()
    gc.collect()
    assert reference() is None
    # The next instance, which may well have the same address, is not affected.
    fails = "nothing"
    assert cls().x == 1


def test_an_identity_that_is_used_again_gives_no_permission_to_assign() -> None:
    class Failing(Module):
        x: int

        def __init__(self, fail: bool) -> None:
            self.x = 1
            if fail:
                raise RuntimeError

    for _ in range(100):
        with pytest.raises(RuntimeError):
            Failing(True)
        made = Failing(False)
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.x = 2


def test_threads_that_make_instances_of_one_class_do_not_see_each_other() -> None:
    count = 8
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []
    made: list[Half] = []
    others: list[Half] = []

    def make(number: int) -> None:
        def hand_out(half: Half) -> None:
            others.append(half)
            barrier.wait()
            # Everybody is in the middle of `__init__` now. Only one's own instance can be assigned to by oneself, but
            # all of them are under construction: none of them has what another thread has not given it.
            assert half.a == 1
            half.a = number
            assert not hasattr(half, "b")
            barrier.wait()
            assert half.a == number

        try:
            for _ in range(20):
                made.append(Half(hand_out, b=number))
                with pytest.raises(dataclasses.FrozenInstanceError):
                    made[-1].a = -1
        except BaseException as error:
            errors.append(error)
            barrier.abort()
            raise

    threads = [threading.Thread(target=make, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({id(half) for half in others}) == 20 * count
    assert sorted(half.a for half in made) == sorted(20 * list(range(count)))
    assert all(half.a == half.b for half in made)


def test_one_thread_finishing_does_not_freeze_what_another_is_making() -> None:
    in_init, may_go_on = threading.Event(), threading.Event()
    result: list[Half] = []

    def wait(half: Half) -> None:
        in_init.set()
        assert may_go_on.wait(timeout=60)

    thread = threading.Thread(target=lambda: result.append(Half(wait)))
    thread.start()
    assert in_init.wait(timeout=60)
    finished = Half(lambda half: None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        finished.a = 3
    may_go_on.set()
    thread.join()
    assert (result[0].a, result[0].b) == (1, 2)


# Type checkers at run time


@jaxtyped(typechecker=beartype)
class Checked(Module):
    weight: Float[Array, "out in"]  # noqa: F722
    bias: Float[Array, " out"]  # noqa: F722
    scale: float = field(static=True, default=1.0)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:  # noqa: F722
        return self.weight @ x + self.bias


def test_a_class_can_be_checked_by_jaxtyping_and_beartype() -> None:
    checked = Checked(jnp.ones((3, 2)), jnp.zeros(3))
    assert jnp.array_equal(checked(jnp.ones(2)), jnp.full(3, 2.0))
    assert str(inspect.signature(Checked)).startswith("(weight: ")
    with pytest.raises(TypeError):
        Checked(jnp.ones((3, 2)), jnp.zeros(4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        checked.bias = jnp.zeros(3)
    # What JAX puts into the fields is nobody's business.
    assert jax.tree.map(lambda x: None, checked).bias is None


def test_a_class_that_is_checked_has_subclasses_with_a_generated_init() -> None:
    class Child(Checked):
        extra: int = 0

    assert Child(jnp.ones((3, 2)), jnp.zeros(3), extra=1).extra == 1


# Values that would contain the instance


class Node(Module):
    child: Any

    def __init__(self, make: Callable[["Node"], Any]) -> None:
        self.child = make(self)

    def method(self) -> None: ...

    @jax.jit
    def compiled(self) -> None: ...

    def __call__(self) -> None: ...


class Holder(Module):
    held: Any


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda self: self.method, "`method`"),
        (lambda self: self.compiled, "`compiled`"),
        (lambda self: self.__call__, "`__call__`"),
        (lambda self: [1, (self.method,)], "`method`"),
        (lambda self: {"a": self.method}, "`method`"),
        (lambda self: Holder(self.method), "`method`"),
        (lambda self: Holder([Holder(self)]), "itself"),
        (lambda self: self, "itself"),
        (lambda self: (self,), "itself"),
    ],
)
def test_a_value_that_contains_the_instance_is_an_error_that_says_how(make: Any, found: str) -> None:
    with pytest.raises(ValueError, match="Cannot assign methods in __init__") as info:
        Node(make)
    assert "`child`" in str(info.value)
    assert found in str(info.value)


def test_a_method_of_a_parent_class_is_an_error_too() -> None:
    class Child(Node):
        def __init__(self) -> None:
            self._assign(super().method)

        def _assign(self, value: Any) -> None:
            self.child = value

    with pytest.raises(ValueError, match="Cannot assign methods in __init__"):
        Child()


def test_the_method_of_another_instance_is_fine() -> None:
    other = Node(lambda self: 3)
    assert jax.tree.leaves(Node(lambda self: other.method)) == [3]
    assert jax.tree.leaves(Node(lambda self: [Holder(other.method)])) == [3]
    assert isinstance(Node(lambda self: other.__call__).child, types.MethodType)
