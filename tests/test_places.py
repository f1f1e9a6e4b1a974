import sys
from typing import Any

import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox._places import Nodes, likeness, modules_in, receiver


class Leaf(eqx.Module):
    weight: Any

    def __call__(self, x):
        return receiver(sys._getframe())

    def method(self):
        return receiver(sys._getframe())


class Pair(eqx.Module):
    first: Any
    second: Any


def leaf(*shape):
    return Leaf(jnp.zeros(shape))


def test_modules_are_listed_from_the_root_without_the_wrappers_of_this_library() -> None:
    tree = [Pair(eqx.filter_jit(leaf(2)), leaf(3)), {"a": leaf(4).method}]
    paths = ["".join(path) for path, _ in modules_in(tree)]
    assert paths == ["[0]", "[0].first", "[0].second", "[1]['a']"]


def test_a_module_is_found_by_identity() -> None:
    model = Pair(leaf(2), leaf(2))
    nodes = Nodes([("", model)])
    assert nodes.find(model, ()) == ()
    assert nodes.find(model.second, ()) == (".second",)
    assert Nodes([("model", model)]).find(model.first, ()) == ("model", ".first")


def test_a_wrapper_is_at_the_place_of_what_it_wraps() -> None:
    model = Pair(leaf(2), leaf(2))
    assert Nodes([("", model)]).find(eqx.filter_jit(model.second), ()) == (".second",)
    assert Nodes([("", model)]).find(model.second.method, ()) == (".second",)


def test_a_module_that_was_made_anew_is_found_by_what_it_looks_like() -> None:
    nodes = Nodes([("", [Pair(leaf(2), leaf(3)), Pair(leaf(2), leaf(3))])])
    assert nodes.find(leaf(3), ("[1]",)) == ("[1]", ".second")
    assert nodes.find(leaf(2), ()) == ("[*]", ".first")
    assert nodes.find(leaf(4), ()) is None


@pytest.mark.parametrize(
    ("first", "second", "degree"),
    [
        (leaf(2, 3), leaf(2, 3), 2),
        (leaf(3), leaf(2, 3), 1),
        (leaf(2), leaf(2, 3), 0),
        (leaf(2), Pair(leaf(2), None), 0),
        (Pair(leaf(2), None), Pair(None, leaf(2)), 0),
    ],
)
def test_modules_look_alike_if_structure_and_shapes_are_the_same_or_those_of_a_slice(first, second, degree) -> None:
    assert likeness(first, second) == degree


def test_a_frame_of_a_method_belongs_to_its_instance() -> None:
    model = leaf(2)
    assert model(1) is model
    assert model.method() is model
    assert receiver(sys._getframe()) is None


def test_a_function_that_takes_a_module_first_is_not_its_method() -> None:
    def loss(model, x):
        return receiver(sys._getframe())

    def wrapped(*args):
        return receiver(sys._getframe())

    assert loss(leaf(2), 1) is None
    assert wrapped(leaf(2)) is None
