import abc
import collections.abc
import dataclasses
import inspect
import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar
from typing import Any, ClassVar, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox import Module, field
from equinox._module.bound_method import BoundMethod
from tests.untyped import untyped

_T = TypeVar("_T")


class Point(Module):
    x: int
    y: float = 2.0


# What a class is


def test_the_base_class_is_hashable_and_nothing_else() -> None:
    assert Module.__mro__ == (Module, collections.abc.Hashable, object)


def test_the_base_class_has_an_instance_without_leaves() -> None:
    assert jax.tree.leaves(Module()) == []


def test_a_class_is_an_abstract_base_class_and_a_dataclass_and_a_pytree_node() -> None:
    assert isinstance(Point, abc.ABCMeta)
    assert dataclasses.is_dataclass(untyped(Point))
    assert jax.tree.leaves(Point(1)) == [1, 2.0]


def test_the_flags_of_the_dataclass_leave_equality_printing_and_freezing_to_module() -> None:
    flags = untyped(Point).__dataclass_params__
    assert (flags.init, flags.eq, flags.repr, flags.frozen, flags.order) == (True, False, False, False, False)


def test_the_functions_of_dataclasses_work() -> None:
    point = untyped(Point(1))
    assert [f.name for f in dataclasses.fields(point)] == ["x", "y"]
    assert dataclasses.asdict(point) == {"x": 1, "y": 2.0}
    assert dataclasses.astuple(point) == (1, 2.0)
    assert dataclasses.replace(point, y=3.0) == Point(1, 3.0)


def test_instances_can_be_matched_by_position() -> None:
    match Point(1, 5.0):
        case Point(x, y):
            assert (x, y) == (1, 5.0)


# Class keywords


def test_unknown_class_keywords_go_to_init_subclass() -> None:
    class Parent(Module):
        tag: ClassVar[str]

        def __init_subclass__(cls, *, tag: str = "none", **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            cls.tag = tag

    class Child(Parent, tag="child"):
        x: int

    assert Child(1).tag == "child"


def test_a_class_keyword_that_nobody_takes_is_the_error_of_init_subclass() -> None:
    with pytest.raises(TypeError, match="takes no keyword arguments"):

        class Wrong(Module, nonsense=1):
            pass


@pytest.mark.parametrize("strict", [True, False])
def test_the_keyword_strict_has_no_effect(strict: bool) -> None:
    class Loose(Point, strict=strict):
        def __call__(self) -> int:
            return self.x

    class Looser(Loose, strict=strict):
        def __call__(self) -> int:
            return 2 * self.x

    assert Looser(3)() == 6


def test_the_keyword_kw_only_is_that_of_dataclasses() -> None:
    class Named(Module, kw_only=True):
        x: int = 0
        y: int

    assert Named(y=1).y == 1
    with pytest.raises(TypeError, match="positional"):
        untyped(Named)(1)


def test_the_keyword_frozen_can_only_say_what_is_so_anyway() -> None:
    class Frozen(Module, frozen=True):
        x: int

    assert Frozen(1).x == 1
    with pytest.raises(TypeError, match="frozen=False"):

        class Thawed(Module, frozen=False):
            pass


def test_a_metaclass_may_be_derived_with_keywords_of_its_own() -> None:
    class Meta(type(Module)):  # type: ignore[misc]
        def __new__(mcs, name: str, bases: Any, namespace: Any, /, label: str = "", **kwargs: Any) -> Any:
            cls = super().__new__(mcs, name, bases, namespace, **kwargs)
            untyped(cls).label = label
            return cls

    class Labelled(Module, metaclass=Meta, label="it"):
        x: int

    labelled = untyped(Labelled)
    assert (labelled(1).x, labelled.label) == (1, "it")
    assert jax.tree.map(lambda x: x + 1, labelled(1)) == labelled(2)


# Fields


def test_a_field_without_a_default_after_one_with_a_default_is_an_error() -> None:
    with pytest.raises(TypeError, match="non-default argument 'b'"):

        class Wrong(Module):
            a: int = 1
            b: int  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]


def test_kw_only_marks_the_fields_that_follow() -> None:
    class Named(Module):
        a: int
        _: KW_ONLY
        b: int = 0
        c: int

    assert jax.tree.leaves(Named(1, c=3)) == [1, 0, 3]
    with pytest.raises(TypeError, match="positional"):
        untyped(Named)(1, 2, c=3)


def test_init_variables_are_passed_to_post_init_and_are_no_fields() -> None:
    class Scaled(Module):
        value: float = field(init=False)
        raw: InitVar[int]
        scale: InitVar[int] = 10

        def __post_init__(self, raw: int, scale: int) -> None:
            self.value = raw * scale

    assert jax.tree.leaves(Scaled(2)) == [20]
    assert [f.name for f in dataclasses.fields(Scaled)] == ["value"]


def test_init_variables_without_post_init_are_ignored() -> None:
    class Ignoring(Module):
        x: int
        unused: InitVar[int]

    assert jax.tree.leaves(Ignoring(1, 2)) == [1]


def test_class_variables_are_no_fields() -> None:
    class Counter(Module):
        made: ClassVar[int] = 0
        x: int

    assert jax.tree.leaves(Counter(1)) == [1]


def test_a_default_factory_is_called_once_for_each_instance() -> None:
    class Bag(Module):
        items: list[int] = field(default_factory=list[int])

    first, second = Bag(), Bag()
    assert first.items == []
    assert first.items is not second.items


@pytest.mark.parametrize(
    "default", [[1], {"a": 1}, {1}, np.ones(2), jnp.ones(2)], ids=lambda value: type(value).__name__
)
@pytest.mark.parametrize("spell", [lambda value: value, lambda value: field(default=value)], ids=["bare", "field"])
def test_a_mutable_default_is_an_error_that_names_the_field(default: Any, spell: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="use default_factory") as info:

        class Wrong(Module):
            weight: Any = spell(default)

    assert "weight" in str(info.value)


def test_a_module_is_allowed_as_a_default() -> None:
    class Inner(Module):
        w: jax.Array

    default = Inner(jnp.ones(2))

    class Outer(Module):
        inner: Inner = default

    assert Outer().inner is default


class Secretive(Module):
    shown: int
    hidden: int = field(repr=False)


def test_the_representation_flag_of_a_field_is_respected() -> None:
    assert repr(Secretive(1, 2)) == "Secretive(shown=1)"


# Documentation and signature


def test_a_docstring_is_made_up_as_by_dataclasses() -> None:
    class Documented(Module):
        """Text."""

    assert Documented.__doc__ == "Text."
    assert Point.__doc__ == "Point(x: int, y: float = 2.0)"


def test_a_generated_init_has_the_docstring_of_the_parents_init() -> None:
    class Parent(Module):
        x: int

        def __init__(self, x: int) -> None:
            """Make it."""
            self.x = x

    class Mixin:
        def __init__(self) -> None:
            """Mix it."""

    class Child(Point, Mixin):
        z: int = 0

    assert Point.__init__.__doc__ is None
    assert Child.__init__.__doc__ is None
    Point.__init__.__doc__ = "Describe it."

    class GrandChild(Point):
        z: int = 0

    Point.__init__.__doc__ = None
    assert GrandChild.__init__.__doc__ == "Describe it."
    assert Parent.__init__.__doc__ == "Make it."


def test_the_signature_of_a_class_is_that_of_its_init() -> None:
    class Custom(Module):
        x: int

        def __init__(self, a: int, *, b: str = "") -> None:
            self.x = a

    class Called(Point):
        def __call__(self, z: int) -> str:
            return str(z)

    class Boxed(Module, Generic[_T]):
        item: _T

    assert str(inspect.signature(Point)) == "(x: int, y: float = 2.0) -> None"
    assert str(inspect.signature(Custom)) == "(a: int, *, b: str = '') -> None"
    assert str(inspect.signature(Called)) == "(x: int, y: float = 2.0) -> None"
    assert list(inspect.signature(Boxed).parameters) == ["item"]
    assert inspect.signature(Module).parameters == {}

    class Anything(Module):
        def __init__(*args: Any, **kwargs: Any) -> None: ...

    assert str(inspect.signature(Anything)) == "(*args: Any, **kwargs: Any) -> None"


def test_the_signature_of_an_instance_is_that_of_its_call() -> None:
    class Called(Module):
        def __call__(self, z: int) -> str:
            return str(z)

    assert str(inspect.signature(Called())) == "(z: int) -> str"


def test_an_explicit_signature_is_respected() -> None:
    class Explicit(Module):
        __signature__ = inspect.Signature([inspect.Parameter("anything", inspect.Parameter.KEYWORD_ONLY)])

    class Child(Explicit):
        pass

    assert str(inspect.signature(Explicit)) == "(*, anything)"
    assert str(inspect.signature(Child)) == "(*, anything)"


def takes_int(value: int) -> float:
    return float(value)


@pytest.mark.parametrize(
    ("converter", "annotation"),
    [
        (takes_int, int),
        (lambda value: value, Any),
        (lambda: None, Any),
        (dict, Any),  # a builtin without a signature
        (jnp.asarray, inspect.signature(jnp.asarray).parameters["a"].annotation),
    ],
)
def test_the_annotation_of_a_converted_parameter_is_what_the_converter_takes(converter: Any, annotation: Any) -> None:
    class Converted(Module):
        x: str = field(converter=converter)
        y: str = field(converter=converter, init=False, default="")

    assert Converted.__init__.__annotations__ == {"x": annotation, "return": None}


# Which `__init__` a class gets


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


# Virtual subclasses


def test_a_virtual_subclass_is_an_error() -> None:
    class Plain:
        pass

    with pytest.raises(ValueError, match="Plain"):
        Point.register(Plain)


# Later edits of a class


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


# Generic classes and mixins


def test_a_generic_class_and_its_specialisations_share_one_node_type() -> None:
    class Box(Module, Generic[_T]):
        item: _T

    box: Any = Box[int](1)
    assert box.__orig_class__ == Box[int]
    assert type(box) is Box
    assert box == Box(1)
    assert untyped(jax.tree.structure(box)) == jax.tree.structure(Box[str]("a"))


def test_init_subclass_may_read_and_edit_the_class_that_is_being_made() -> None:
    class Parent(Module):
        name: ClassVar[str]
        suffix = "!"

        def __init_subclass__(cls) -> None:
            cls.name = cls.__qualname__ + cls.suffix
            untyped(cls).shout = lambda self: self.name.upper()

    class Child(Parent):
        suffix = "?"

    assert Child.name.endswith("Child?")
    shout = untyped(Child()).shout
    assert isinstance(shout, BoundMethod)
    assert shout().endswith("CHILD?")


def test_making_classes_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Quiet(Module):
            x: int

            def __post_init__(self) -> None: ...

        class Child(Quiet):
            y: int = 0
