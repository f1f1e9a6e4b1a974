import copy
import dataclasses
import functools
import inspect
import pickle
import types
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given

import equinox as eqx
from equinox import Module
from equinox._module.bound_method import BoundMethod
from tests.module_strategies import Box, modules
from tests.strategies import same_tree
from tests.untyped import untyped


class Scale(Module):
    a: Any

    def apply(self, x: Any, /, y: int = 1, *, z: int = 0) -> Any:
        """Scale and shift."""
        return self.a * x + y + z

    def takes_anything(self, /, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    def other(self) -> None: ...


def maps(method: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf, method)


WAYS = [lambda m: m, maps, copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]


def test_a_bound_method_is_a_module_and_no_bound_method_of_python() -> None:
    method = Scale(1.0).apply
    assert isinstance(method, Module)
    assert isinstance(method, BoundMethod)
    assert not isinstance(method, types.MethodType)
    assert callable(method)


@pytest.mark.parametrize("way", WAYS)
def test_calling_it_calls_the_function_with_the_instance(way: Any) -> None:
    method = way(Scale(2).apply)
    assert method(3) == 7
    assert method(3, 2, z=10) == 18
    everything = way(Scale(2).takes_anything)
    assert everything(1, self=2, function=3, instance=4) == ((1,), {"self": 2, "function": 3, "instance": 4})
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        method()


@given(value=modules())
def test_its_leaves_are_those_of_the_instance(value: Any) -> None:
    box = Box(value)
    assert same_tree(untyped(box.method).__self__, box)
    expected = [((jax.tree_util.GetAttrKey("__self__"), *path), leaf) for path, leaf in jax.tree.leaves_with_path(box)]
    for (path, leaf), (wanted_path, wanted_leaf) in zip(
        jax.tree.leaves_with_path(untyped(box.method)), expected, strict=True
    ):
        assert path == wanted_path
        assert leaf is wanted_leaf


def test_the_key_path_of_a_leaf_goes_through_the_instance() -> None:
    ((path, _),) = jax.tree.leaves_with_path(untyped(Scale(1.0).apply))
    assert jax.tree_util.keystr(path) == ".__self__.a"


def test_it_has_a_static_field_for_the_function_and_a_child_for_the_instance() -> None:
    scale = Scale(1.0)
    method = untyped(scale.apply)
    assert method.__self__ is scale
    assert method.__func__ is Scale.apply
    function, instance = dataclasses.fields(method)
    assert (function.name, function.metadata["static"]) == ("__func__", True)
    assert (instance.name, instance.metadata.get("static", False)) == ("__self__", False)


def test_every_access_gives_a_new_object_that_is_equal() -> None:
    scale = Scale(1.0)
    assert scale.apply is not scale.apply
    assert scale.apply == scale.apply
    assert scale.apply == Scale(1.0).apply
    assert untyped(scale.apply) != scale.other
    assert scale.apply != Scale(2.0).apply
    assert hash(scale.apply) == hash(Scale(1.0).apply)
    assert hash(scale.apply) == hash((("__func__", Scale.apply), ("__self__", scale)))
    assert jax.tree.structure(scale.apply) == untyped(jax.tree.structure(Scale(3.0).apply))
    assert bool(untyped(Scale(jnp.ones(2)).apply == Scale(jnp.ones(2)).apply))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["__name__", "__qualname__", "__doc__", "__module__", "__annotations__"])
def test_it_has_the_names_of_its_function(way: Any, name: str) -> None:
    assert getattr(way(Scale(1.0).apply), name) == getattr(Scale.apply, name)


def test_it_has_the_other_attributes_of_its_function() -> None:
    class Marked(Module):
        def f(self) -> None: ...

        untyped(f).mark = "here"

    assert untyped(Marked().f).mark == "here"
    with pytest.raises(AttributeError, match="nothing"):
        untyped(Marked().f).nothing  # noqa: B018


@pytest.mark.parametrize("way", WAYS)
def test_it_wraps_the_bound_method_that_python_would_have_made(way: Any) -> None:
    scale = Scale(1.0)
    wrapped = way(scale.apply).__wrapped__
    assert type(wrapped) is types.MethodType
    assert wrapped.__func__ is Scale.apply
    assert wrapped.__self__ == scale


@pytest.mark.parametrize("way", WAYS)
def test_its_signature_lacks_the_instance(way: Any) -> None:
    assert str(inspect.signature(way(Scale(1.0).apply))) == "(x: Any, /, y: int = 1, *, z: int = 0) -> Any"


def test_an_explicit_signature_of_its_function_loses_the_instance_too() -> None:
    class Signed(Module):
        def f(self, *args: Any) -> None: ...

        untyped(f).__signature__ = inspect.signature(lambda self, a, b: None)

    assert str(inspect.signature(Signed().f)) == "(a, b)"


def test_it_is_printed_with_function_and_instance() -> None:
    assert repr(Scale(1.0).apply) == "BoundMethod(__func__=<function Scale.apply>, __self__=Scale(a=1.0))"


def test_mapping_it_gives_a_method_of_the_mapped_instance() -> None:
    method = jax.tree.map(lambda a: 10 * a, untyped(Scale(1.0).apply))
    assert type(method) is BoundMethod
    assert method.__self__ == Scale(10.0)
    assert method(2.0) == 21.0


def test_it_can_be_a_prefix_of_itself() -> None:
    treedef = jax.tree.structure(Scale(1.0).apply)
    for leaf in (None, 0, "axis", object()):
        prefix = jax.tree.unflatten(treedef, [leaf])
        assert prefix.__self__.a is leaf


def test_it_is_not_bound_again() -> None:
    class Other(Module):
        apply = Scale(2.0).apply

    assert Other().apply(3.0) == Other.apply(3.0) == 7.0
    assert not hasattr(BoundMethod, "__get__")


def test_the_class_itself_has_names_and_documentation_of_its_own() -> None:
    assert BoundMethod.__name__ == "BoundMethod"
    assert BoundMethod.__module__ == "equinox._module.bound_method"
    assert "method" in (BoundMethod.__doc__ or "")
    assert pickle.loads(pickle.dumps(BoundMethod)) is BoundMethod


def test_an_instance_is_immutable() -> None:
    method = untyped(Scale(1.0).apply)
    for name in ("__self__", "__func__", "__wrapped__", "__doc__", "anything"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, name, 1)


def test_an_instance_that_is_not_initialised_has_no_attributes() -> None:
    with pytest.raises(AttributeError, match="not initialised"):
        untyped(object.__new__(BoundMethod)).__name__  # noqa: B018


def test_it_can_be_made_from_a_function_and_an_instance() -> None:
    method = untyped(BoundMethod)(Scale.apply, Scale(2.0))
    assert method == Scale(2.0).apply
    assert method(3.0) == 7.0


def test_it_can_be_pickled_only_where_the_function_can() -> None:
    class Local(Module):
        def f(self) -> int:
            return 1

    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(untyped(Local().f))


def test_it_can_be_passed_into_transformed_functions() -> None:
    method = Scale(jnp.array(2.0)).apply

    def call(f: Any, x: Any) -> Any:
        return f(x)

    assert jax.jit(call)(method, 3.0) == 7.0
    assert eqx.filter_jit(call)(method, 3.0) == 7.0
    assert eqx.filter_jit(method)(3.0) == 7.0
    gradient = jax.grad(call)(method, 3.0)
    assert type(gradient) is BoundMethod
    assert gradient.__self__.a == 3.0
    assert jax.jit(lambda f: f)(method)(3.0) == 7.0


def test_functions_that_look_like_it_can_be_made() -> None:
    @functools.wraps(Scale(1.0).apply)
    def wrapper(*args: Any, **kwargs: Any) -> Any: ...

    assert wrapper.__name__ == "apply"
    assert wrapper.__module__ == __name__
    assert wrapper.__doc__ == "Scale and shift."
