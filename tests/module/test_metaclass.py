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
from tests.runtime.program import program
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


# Virtual subclasses


def test_a_virtual_subclass_is_an_error() -> None:
    class Plain:
        pass

    with pytest.raises(ValueError, match="Plain"):
        Point.register(Plain)


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


def test_a_class_that_is_pickled_by_value_is_the_same_class_in_another_process() -> None:
    pytest.importorskip("cloudpickle")
    written = program("""
        import sys, cloudpickle, jax.numpy as jnp, equinox as eqx
        class Layer(eqx.Module):
            weight: jnp.ndarray
            name: str = eqx.field(static=True, default="layer")
            def __call__(self, x):
                return self.weight * x
            def method(self, x):
                return self(x)
        class Scaled(Layer):
            scale: float = eqx.field(converter=float, default=1)
            missing: eqx.AbstractVar[int]
        class Complete(Scaled):
            missing = 3
            def __init__(self, weight):
                self.weight = jnp.asarray(weight)
                self.name = "complete"
                self.scale = 2
        sys.stdout.write(cloudpickle.dumps([Layer(jnp.array(2.0)), Complete(3), Layer(4.0).method, Scaled]).hex())
    """)
    read = program(
        """
        import sys, pickle, dataclasses, jax, equinox as eqx
        layer, complete, method, abstract = pickle.loads(bytes.fromhex(sys.stdin.read()))
        print(jax.tree.map(lambda x: 2 * x, layer)(1.0), jax.tree.map(lambda x: 2 * x, method)(1.0))
        print([jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(complete)])
        print(type(layer)(5, name="new"))
        print(eqx.combine(*eqx.partition(type(complete)(5), eqx.is_array)))
        for function in (lambda: abstract(1.0), lambda: setattr(layer, "weight", 1), lambda: type(layer)()):
            try:
                function()
            except (TypeError, dataclasses.FrozenInstanceError) as error:
                print(type(error).__name__)
        """,
        stdin=written.stdout,
    )
    assert read.stdout.splitlines() == [
        "4.0 8.0",
        "['.weight', '.scale']",
        "Layer(weight=5, name='new')",
        "Complete(weight=weak_i32[], name='complete', scale=2.0)",
        "TypeError",
        "FrozenInstanceError",
        "TypeError",
    ], (written.stderr, read.stderr)
