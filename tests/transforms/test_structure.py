"""Where a tree parts from the structure that it should have."""

import jax.numpy as jnp
import pytest

from equinox._transforms.structure import describe_difference, has_structure


@pytest.mark.parametrize(
    ("tree", "expected", "message"),
    [
        ((1, 2), [1, 2], "At the root, `it` has a `tuple` with the children `[0], [1]`. Expected a `list`"),
        (
            {"a": {"b": 1}},
            {"a": {"c": 1}},
            "At `['a']`, `it` has a `dict` with the children `['b']`. Expected a `dict`",
        ),
        ({"a": 1}, {"a": (1, 2)}, "At `['a']`, `it` has a value of type `int`: 1. Expected a `tuple`"),
        ({"a": None}, {"a": (1, 2)}, "At `['a']`, `it` has `None`. Expected a `tuple`"),
        ({"a": (1, 2)}, {"a": 1}, "At `['a']`, `it` has a `tuple` with the children `[0], [1]`. Expected a thing."),
        ({"a": (1, 2)}, {"a": None}, "At `['a']`, `it` has a `tuple` with the children `[0], [1]`. Expected `None`."),
    ],
)
def test_the_first_difference_is_named(tree, expected, message):
    assert not has_structure(tree, expected)
    assert describe_difference("it", tree, expected, "a thing").startswith(message)


def test_none_is_a_leaf_unless_told_otherwise():
    tree, expected = [None, jnp.ones(2)], [1, None]
    assert has_structure(tree, expected)
    assert not has_structure(tree, expected, is_leaf=None)
    assert describe_difference("it", tree, expected, "a thing", is_leaf=None) == (
        "At `[0]`, `it` has `None`. Expected a thing."
    )
    assert describe_difference("it", tree[1:], expected[1:], "a thing", is_leaf=None) == (
        "At `[0]`, `it` has a JAX array (float32[2]). Expected `None`."
    )


def test_equal_structures_have_no_difference():
    assert has_structure({"a": [1, None]}, {"a": [2, "text"]})
    assert has_structure({"a": [1, None]}, {"a": [2, None]}, is_leaf=None)
