import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox import tree_inference
from equinox._jax_tree import tree_structure


class Leaf(eqx.Module):
    weight: Any
    inference: Any


class Node(eqx.Module):
    inner: Any
    inference: Any = False


class Static(eqx.Module):
    inner: Any
    inference: bool = eqx.field(static=True, default=False)


class OtherName(eqx.Module):
    inner: Any
    deterministic: bool = False


class StaticOtherName(eqx.Module):
    deterministic: bool = eqx.field(static=True, default=False)


class Without(eqx.Module):
    inner: Any

    @property
    def inference(self):
        return False

    def deterministic(self):
        return False


class Announced(eqx.Module):
    inference: eqx.AbstractVar[bool]


class Kept(Announced, kw_only=True):
    inner: Any

    @property  # type: ignore[misc] # now it is concrete
    def inference(self):  # pyright: ignore[reportIncompatibleVariableOverride] # as above
        return False


class Pair(NamedTuple):
    inner: Any
    inference: Any


def flags(tree: Any) -> list[Any]:
    nodes: list[Any] = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, eqx.Module))
    return [node.inference for node in nodes]


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("was", [True, False, None, jnp.array(False), [1, 2], Leaf(1, False)])
def test_whatever_the_flag_was_it_is_replaced_by_the_value(was: Any, value: bool) -> None:
    switched = tree_inference(Leaf(3, was), value)
    assert switched.inference is value
    assert switched.weight == 3


def test_the_value_is_true_by_default() -> None:
    assert tree_inference(eqx.nn.Dropout()).inference is True
    assert tree_inference(eqx.nn.Dropout(inference=True), value=False).inference is False


def test_nodes_at_every_depth_are_switched_also_inside_of_others() -> None:
    tree: Any = {"a": [Leaf(1, False), (Node(Node([Leaf(2, None)])),)], "b": Leaf(3, False)}
    switched = tree_inference(tree)
    assert flags(switched) == [True, True, True]
    assert (switched["a"][1][0].inner.inference, switched["a"][1][0].inner.inner[0].inference) == (True, True)


def test_nodes_that_are_no_modules_are_switched_too() -> None:
    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class Data:
        inner: Any
        inference: Any = dataclasses.field(default=False, metadata={"static": True})

    assert tree_inference(Pair(Leaf(1, False), False)) == Pair(Leaf(1, True), True)
    assert tree_inference(Data(Data(1))) == Data(Data(1, True), True)


def test_a_static_flag_is_switched() -> None:
    switched = tree_inference(Static(Static(1)))
    assert (switched.inference, switched.inner.inference) == (True, True)
    assert tree_structure(switched) == tree_structure(Static(Static(1, True), True))


def test_the_other_name_is_used_where_the_first_is_missing() -> None:
    switched = tree_inference([OtherName(Leaf(1, False)), StaticOtherName()])
    assert switched == [OtherName(Leaf(1, True), True), StaticOtherName(True)]

    class Both(eqx.Module):
        deterministic: bool
        inference: bool

    assert tree_inference(Both(False, False)) == Both(False, True)


def test_properties_and_methods_of_that_name_are_no_flags() -> None:
    kept: Any = Kept
    tree = [Without(Leaf(1, False)), kept(inner=Leaf(2, False))]
    assert tree_inference(tree) == [Without(Leaf(1, True)), kept(inner=Leaf(2, True))]


@pytest.mark.parametrize("tree", [None, 3, "text", (), {"inference": False}, [1, {"a": None}]])
def test_a_tree_without_flags_stays_as_it_is(tree: Any) -> None:
    assert tree_inference(tree) == tree


def test_the_tree_itself_is_not_changed_and_leaves_stay_the_same_objects() -> None:
    array = jnp.ones(2)
    tree = Static(Leaf(array, False))
    switched = tree_inference(tree)
    assert (tree.inference, tree.inner.inference) == (False, False)
    assert switched.inner.weight is array


def test_one_layer_at_two_places_is_switched_at_both() -> None:
    layer = eqx.nn.Dropout()
    assert flags(tree_inference([layer, layer])) == [True, True]


def test_it_works_in_a_compiled_function() -> None:
    @eqx.filter_jit
    def function(model, x):
        return tree_inference(model)(x)

    x = jnp.ones(4)
    assert eqx.tree_equal(function(eqx.nn.Dropout(0.5), x), x)
