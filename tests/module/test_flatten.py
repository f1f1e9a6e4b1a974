import copy
import dataclasses
import functools
import gc
import inspect
import linecache
import sys
import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.tree_util import GetAttrKey, keystr

from equinox import Module, combine, field, is_array, module_update_wrapper, partition
from tests.module_strategies import modules
from tests.strategies import leaves, same_tree
from tests.untyped import untyped

_T = TypeVar("_T")

structure: Callable[[Any], Any] = jax.tree.structure


def round_trip(module: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf, module)


def attributes(module: Any) -> dict[str, Any]:
    """The stored fields of an instance and the names it has of its own."""
    names = [f.name for f in dataclasses.fields(module)] + ["__name__", "__qualname__", "__doc__", "__module__"]
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


# Round trips


@given(module=modules())
def test_flatten_then_unflatten_is_the_identity_for_every_module(module: Any) -> None:
    result = round_trip(module)
    assert type(result) is type(module)
    assert result is not module
    assert same_tree(result, module)
    assert same_tree(round_trip(result), module)
    assert attributes(result).keys() == attributes(module).keys()
    for name, value in attributes(module).items():
        assert same_tree(attributes(result)[name], value)


@given(module=modules(), data=st.data())
def test_unflatten_then_flatten_is_the_identity_for_every_list_of_leaves(module: Any, data: st.DataObject) -> None:
    old, treedef = jax.tree.flatten(module)
    new = [data.draw(leaves()) for _ in old]
    made = jax.tree.unflatten(treedef, new)
    assert type(made) is type(module)
    result, result_def = jax.tree.flatten(made)
    assert untyped(result_def) == treedef
    assert all(a is b for a, b in zip(result, new, strict=True))


@given(module=modules())
def test_flattening_with_paths_gives_the_same_leaves(module: Any) -> None:
    with_paths, treedef = jax.tree_util.tree_flatten_with_path(module)
    plain, plain_treedef = jax.tree.flatten(module)
    assert untyped(treedef) == plain_treedef
    assert all(a is b for (_, a), b in zip(with_paths, plain, strict=True))
    for path, leaf in with_paths:
        found = functools.reduce(follow, path, module)
        assert found is leaf


def follow(tree: Any, key: Any) -> Any:
    if isinstance(key, GetAttrKey):
        return getattr(tree, key.name)
    return tree[key.idx] if hasattr(key, "idx") else tree[key.key]


@given(module=modules())
def test_the_structure_of_an_equal_module_is_equal_and_has_an_equal_hash(module: Any) -> None:
    other = round_trip(module)
    assert structure(module) == structure(other)
    assert hash(structure(module)) == hash(structure(other))


# Children, static fields and keys


class Parent(Module):
    b: Any
    option: Any = field(static=True)


class Child(Parent):
    a: Any
    _private: Any = 3
    __mangled: Any = 4  # pyright: ignore[reportGeneralTypeIssues]  # for checkers, it has no parameter


def test_children_are_the_fields_that_are_not_static_in_order_of_definition() -> None:
    child = Child(1, "static", 2)
    with_paths, _ = jax.tree_util.tree_flatten_with_path(child)
    assert [(keystr(path), leaf) for path, leaf in with_paths] == [
        (".b", 1),
        (".a", 2),
        ("._private", 3),
        ("._Child__mangled", 4),
    ]
    assert with_paths[0][0] == (GetAttrKey("b"),)


def test_a_subclass_with_the_same_fields_is_another_type_of_node() -> None:
    class Same(Parent):
        pass

    assert structure(Parent(1, 2)) != structure(Same(1, 2))
    with pytest.raises(ValueError, match=r"Parent|Same"):
        jax.tree.map(lambda x, y: x, Parent(1, 2), Same(1, 2))


def test_structures_with_equal_static_values_are_equal() -> None:
    assert structure(Parent(1, (1, "a"))) == structure(Parent(2, (1, "a")))
    assert structure(Parent(1, (1, "a"))) != structure(Parent(1, (1, "b")))


def test_unflattening_calls_nothing_that_the_class_defines() -> None:
    class Sensitive(Module):
        x: Any = field(converter=lambda x: fail())

        def __new__(cls) -> Any:
            fail()

        def __init__(self) -> None:
            self.x = 1

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            if name != "x":
                fail()

        def __check_init__(self) -> None:
            fail()

    def fail() -> Any:
        raise AssertionError

    bare = object.__new__(Sensitive)
    object.__setattr__(bare, "x", 1)
    assert jax.tree.map(lambda x: x + 1, bare).x == 2


@pytest.mark.parametrize("leaf", [None, object(), "axis", ..., 0])
def test_anything_can_be_a_leaf_so_that_modules_can_be_prefixes(leaf: Any) -> None:
    made = jax.tree.unflatten(structure(Parent(1, 2)), [leaf])
    assert made.b is leaf


# What is no part of the structure


def test_a_generic_specialisation_does_not_change_the_structure() -> None:
    class Box(Module, Generic[_T]):
        item: _T

    box = untyped(Box)[int](1)
    assert box.__orig_class__ == untyped(Box)[int]
    assert structure(box) == structure(Box(1))
    assert box == Box(1)
    assert round_trip(box) == box
    assert round_trip(box).__module__ == __name__


def test_a_cached_value_does_not_change_the_structure() -> None:
    class Cached(Module):
        """Text."""

        x: Any

        @functools.cached_property
        def twice(self) -> Any:
            return 2 * self.x

    cached = Cached(1)
    assert cached.twice == 2
    assert structure(cached) == structure(Cached(2))
    assert round_trip(cached).__doc__ == "Text."
    assert "twice" not in vars(round_trip(cached))


def test_an_attribute_smuggled_in_does_not_change_the_structure() -> None:
    parent = Parent(1, 2)
    object.__setattr__(parent, "smuggled", 3)
    assert structure(parent) == structure(Parent(1, 2))
    assert jax.tree.leaves(parent) == [1]


# Defaults that are never stored


class Lazy(Module):
    unset: Any = (1, 2)
    set: Any = 3
    static_unset: Any = field(static=True, default="default")

    def __init__(self, value: Any = None) -> None:
        if value is not None:
            self.unset = value
        self.set = 0


def test_a_default_that_is_not_assigned_is_no_leaf_and_stays_absent() -> None:
    for lazy in (Lazy(), round_trip(Lazy()), round_trip(round_trip(Lazy()))):
        assert vars(lazy) == {"set": 0}
        assert lazy.unset == (1, 2)
        assert lazy.static_unset == "default"
        assert [(keystr(path), leaf) for path, leaf in jax.tree.leaves_with_path(lazy)] == [(".set", 0)]


def test_instances_that_differ_in_what_they_store_differ_in_structure() -> None:
    stored = Lazy((1, 2))
    assert jax.tree.leaves(stored) == [1, 2, 0]
    assert structure(stored) != structure(Lazy())
    assert structure(Lazy()) == structure(Lazy())
    assert stored != Lazy()
    assert round_trip(stored) == stored


def test_the_first_instances_of_a_class_may_be_complete() -> None:
    class Sometimes(Module):
        x: Any = 1

        def __init__(self, assign: bool) -> None:
            if assign:
                self.x = 2

    complete = Sometimes(True)
    leaves_before, treedef_before = jax.tree.flatten(complete)
    incomplete = Sometimes(False)
    assert jax.tree.leaves(incomplete) == []
    assert jax.tree.leaves(complete) == leaves_before == [2]
    assert structure(complete) == treedef_before
    assert jax.tree.unflatten(treedef_before, [5]).x == 5


def test_a_class_attribute_may_override_an_inherited_field() -> None:
    class Configured(Module):
        config: Any
        weight: Any

        def __init__(self, weight: Any) -> None:
            self.weight = weight

    class Fixed(Configured):
        config = ["a", "list"]  # noqa: RUF012

    fixed = untyped(Fixed)(jnp.ones(2))
    assert jax.tree.leaves(round_trip(fixed))[0].shape == (2,)
    assert jax.jit(lambda m: m.weight * len(m.config))(fixed)[0] == 2.0
    assert jax.vmap(lambda m: m.weight)(fixed).shape == (2,)
    carry, _ = jax.lax.scan(lambda m, _: (m, None), fixed, None, length=2)
    assert carry.config == ["a", "list"]


def test_instances_with_unset_defaults_work_in_transformations() -> None:
    lazy = Lazy()
    assert jax.jit(lambda m: m)(lazy).unset == (1, 2)
    assert jax.vmap(lambda m, x: x, in_axes=(None, 0))(lazy, jnp.ones(2)).shape == (2,)


# Slots


class Slotted(Module):
    __slots__ = ("x", "y")

    x: Any
    y: Any
    z: Any


class CustomSlotted(Slotted):
    __slots__ = ("extra",)

    extra: Any

    def __init__(self, y: Any = None) -> None:
        self.x = 1
        self.y = y
        self.z = 3
        self.extra = field


@pytest.mark.parametrize(
    ("module", "expected"),
    [(Slotted(1, 2, 3), [1, 2, 3]), (CustomSlotted(2), [1, 2, 3, field]), (CustomSlotted(), [1, 3, field])],
)
def test_fields_in_slots_are_flattened_like_others(module: Any, expected: list[Any]) -> None:
    assert jax.tree.leaves(module) == expected
    result = round_trip(module)
    assert (result.x, result.y, result.z) == (module.x, module.y, 3)
    assert "x" not in vars(result)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.x = 2


def test_slots_can_be_combined_with_defaults_that_are_not_stored() -> None:
    class Mixed(Module):
        __slots__ = ("x",)

        x: Any
        y: Any = 2

        def __init__(self) -> None:
            self.x = 1

    for mixed in (Mixed(), round_trip(Mixed()), copy.copy(Mixed())):
        assert jax.tree.leaves(mixed) == [1]
        assert (mixed.x, mixed.y) == (1, 2)


def test_a_slot_that_init_does_not_assign_is_a_missing_field() -> None:
    class Incomplete(Module):
        __slots__ = ("x",)

        x: Any

        def __init__(self) -> None: ...

    with pytest.raises(ValueError, match="Field 'x' was not initialized"):
        Incomplete()


def test_a_slot_that_is_not_a_field_is_no_leaf() -> None:
    class Extra(Module):
        __slots__ = ("cache",)

        x: Any

    extra = Extra(1)
    object.__setattr__(extra, "cache", "something")
    assert jax.tree.leaves(extra) == [1]
    assert not hasattr(round_trip(extra), "cache")


# Classes with unusual bases


def test_a_mixin_with_slots_of_its_own_is_no_obstacle() -> None:
    class Mixin:
        __slots__ = ()

        def f(self) -> Any:
            return untyped(self).x

    class Before(Mixin, Module):
        x: Any

    class After(Module, Mixin):
        x: Any

    assert (round_trip(Before(1)).f(), round_trip(After(2)).f()) == (1, 2)


# The generated code


def test_the_generated_code_can_be_read_by_debuggers() -> None:
    layout = untyped(Parent).__module_plan__.layout
    for function in (layout.flatten, layout.unflatten):
        filename = function.__code__.co_filename
        assert "Parent" in filename
        assert f"def {function.__name__}" in "".join(linecache.getlines(filename))
    assert "module.b" in inspect.getsource(layout.flatten)
    try:
        layout.unflatten((), ())
    except ValueError:
        assert "= children" in traceback.format_exc()
    else:
        raise AssertionError


def python_functions_called_by(function: Callable[[], object]) -> list[str]:
    called: list[str] = []

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    gc.disable()  # it would call functions that belong to other tests' objects
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return called[1:]  # without `function` itself


def test_flattening_needs_no_function_of_python_but_the_generated_one() -> None:
    registry, treedef = untyped(jax.tree_util).default_registry, structure(Parent(1, 2))
    parent = Parent(1, 2)
    assert python_functions_called_by(lambda: registry.flatten(parent)) == ["flatten"]
    assert python_functions_called_by(lambda: treedef.unflatten([1])) == ["unflatten"]


def test_that_an_incomplete_instance_was_looked_into_does_not_make_flattening_slower() -> None:
    class Outer(Module):
        inner: Any

        def __init__(self, inner: Any = None) -> None:
            self.inner = Inner(self) if inner is None else inner

    class Inner(Module):
        outer: Any

        def __init__(self, outer: Any) -> None:
            self.outer = outer

    with pytest.raises(ValueError, match="itself"):
        Outer()
    outer, registry = Outer(3), untyped(jax.tree_util).default_registry
    assert python_functions_called_by(lambda: registry.flatten(outer)) == ["flatten"]


def test_the_names_of_a_wrapper_are_part_of_the_structure_by_value() -> None:
    class Wrapper(Module):
        function: Any

        @property
        def __wrapped__(self) -> Any:
            return self.function

    def f(x: int) -> None: ...

    def g(x: int) -> None: ...

    plain, first, again, other = Wrapper(f), *map(module_update_wrapper, (Wrapper(f), Wrapper(f), Wrapper(g)))
    assert structure(first) == structure(again)
    assert hash(structure(first)) == hash(structure(again))
    assert structure(first) != structure(other)
    assert structure(first) != structure(plain)
    assert jax.tree.leaves(plain) == [f]
    assert untyped(round_trip(first)).__name__ == "f"


# Joining


class Layer(Module):
    weight: Any
    activation: Any
    size: int = field(static=True, default=1)


class OtherLayer(Layer):
    pass


class Unassigned(Module):
    weight: Any
    scale: float = 2.0

    def __init__(self, weight: Any) -> None:
        self.weight = weight


def test_two_instances_are_joined_without_flattening_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("flattened")

    array = jnp.ones(2)
    halves = Layer([array], None), Layer(None, (len,))
    monkeypatch.setattr("equinox._tree.join.tree_flatten", refuse)
    joined = combine(*halves)
    assert type(joined) is Layer
    assert (joined.weight, joined.activation, joined.size) == ([array], (len,), 1)


@pytest.mark.parametrize(
    ("other", "found"),
    [(Layer(None, len, 2), "different static data"), (OtherLayer(None, len), "found a `OtherLayer`")],
    ids=["static field", "subclass"],
)
def test_instances_that_differ_in_class_or_static_fields_are_not_joined(other: Layer, found: str) -> None:
    with pytest.raises(ValueError, match=rf"argument `pytrees\[0\]`, leaf `\[0\]`.*{found}"):
        combine([Layer(jnp.ones(2), None)], [other])


def test_irregular_instances_are_joined_as_such() -> None:
    array = jnp.ones(2)
    assert vars(combine(Unassigned(None), Unassigned(array))) == {"weight": array}


def test_a_wrapper_keeps_its_names_when_it_is_joined() -> None:
    class Wrapper(Module):
        function: Any

        @property
        def __wrapped__(self) -> Any:
            return self.function

    def f(x: int) -> None: ...

    wrapper = untyped(module_update_wrapper(Wrapper(f)))
    assert combine(*partition(wrapper, is_array)).__name__ == "f"


def test_incomplete_instances_are_joined_as_far_as_they_go() -> None:
    array = jnp.ones(2)
    first, second = object.__new__(Layer), object.__new__(Layer)
    object.__setattr__(first, "weight", array)
    object.__setattr__(second, "weight", None)
    assert vars(combine(first, second)) == {"weight": array}
