from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import equinox as eqx
from equinox._jax_tree import tree_structure
from equinox._tree.join import StructureMismatchError, join, join_leaves, joiners
from equinox._tree.predicates import is_none
from tests.strategies import Point, pytrees, same_tree


@given(tree=pytrees())
def test_joining_node_by_node_gives_what_joining_the_leaves_gives(tree: Any) -> None:
    first, second = eqx.partition(tree, eqx.is_array)
    for one, other in ((first, second), (second, first)):
        joined = join(one, other)
        assert same_tree(joined, join_leaves(one, other, is_none))
        assert tree_structure(joined) == tree_structure(tree)


@given(tree=pytrees())
def test_none_joined_with_anything_is_that_thing(tree: Any) -> None:
    assert join(None, tree) is tree
    assert join(tree, None) is tree


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, None), (None, 2, 3)),
        ((1, None), [None, 2]),
        ([1, None], (None, 2)),
        ((1, None), Point(None, 2)),
        (Point(1, None), (None, 2)),
        ({"a": 1}, {"b": None}),
        (([1, None],), ([None],)),
    ],
    ids=repr,
)
def test_nodes_of_different_types_sizes_or_keys_are_not_joined(first: Any, second: Any) -> None:
    with pytest.raises(StructureMismatchError):
        join(first, second)


@pytest.mark.parametrize("leaf", [jnp.ones(2), np.ones(2), 1.0, "relu", len], ids=repr)
def test_a_leaf_of_the_first_goes_before_anything(leaf: Any) -> None:
    assert join(leaf, [1, 2]) is leaf


def test_the_types_that_are_joined_directly_are_plain_containers_and_modules() -> None:
    assert all(kind in (tuple, list) or issubclass(kind, eqx.Module) for kind in joiners)
