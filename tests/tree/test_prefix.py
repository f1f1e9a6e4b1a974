from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinox._jax_tree import keystr, tree_flatten
from equinox._tree.predicates import is_none
from equinox._tree.prefix import first_difference, flatten_up_to, structural_difference
from tests.strategies import Pair, Point, Record, pytrees, same_tree


def line_up(prefix: Any, tree: Any, is_leaf: Any = None) -> Any:
    return flatten_up_to(prefix, tree, argument="spec", tree_argument="model", is_leaf=is_leaf)


@given(tree=pytrees(), data=st.data())
def test_the_subtrees_put_together_are_the_tree(tree: Any, data: st.DataObject) -> None:
    cut = data.draw(st.sets(st.integers(0, 8)))
    visited = iter(range(10**6))
    leaves, treedef = tree_flatten(tree, is_leaf=lambda _: next(visited) in cut)
    prefix = treedef.unflatten(range(len(leaves)))
    found, subtrees, found_def = line_up(prefix, tree)
    assert found == list(range(len(leaves)))
    assert same_tree(found_def.unflatten(subtrees), tree)


def test_is_leaf_is_about_the_prefix() -> None:
    leaves, subtrees, _ = line_up({"a": None, "b": 1}, {"a": [1, 2], "b": 2}, is_none)
    assert leaves == [None, 1]
    assert subtrees == [[1, 2], 2]


@pytest.mark.parametrize(
    ("prefix", "tree", "place", "found", "expected"),
    [
        ({"a": [1]}, {"a": [1, 2]}, "['a']", "`[0]`", "`[0], [1]`"),
        ({"a": (1, 2)}, {"a": [1, 2]}, "['a']", "`tuple`", "`list`"),
        ([0, {"a": 1}], [0, {"b": 1}], "[1]", "['a']", "['b']"),
        ([0, None], [0, 1], "[1]", "`None`", "`int`"),
        ([0, [1]], [0, None], "[1]", "`list`", "`None`"),
        (Pair(1, [2]), Pair(1, jnp.ones(2)), ".second", "`list`", "float32[2]"),
        (Point(1, ()), Point(1, (2,)), ".y", "without children", "`[0]`"),
        ([Record(1, "a")], [Record(1, "b")], "[0]", "`Record`", "different static data"),
        ([1], 1, "`spec`", "`list`", "`int`"),
    ],
)
def test_the_first_difference_is_named(prefix: Any, tree: Any, place: str, found: str, expected: str) -> None:
    with pytest.raises(ValueError, match="`spec`") as info:
        line_up(prefix, tree)
    message = str(info.value)
    for fact in ("`model`", place, found, expected):
        assert fact in message


@given(tree=pytrees())
def test_a_tree_does_not_differ_from_itself(tree: Any) -> None:
    assert first_difference(tree, tree) is None


def test_the_first_difference_is_the_leftmost() -> None:
    difference = first_difference(([1], (2,), 3), (1, 2, 3))
    assert difference is not None
    path, prefix_node, node = difference
    assert (jax.tree_util.keystr(path), prefix_node, node) == ("[0]", [1], 1)


@pytest.mark.parametrize(
    ("tree", "other", "path"),
    [([1, (2, 3)], [1, 2], "[1]"), ([1, 2], [1, (2, 3)], "[1]"), ({"a": 1}, {"b": 1}, ""), ([1], (1,), "")],
)
def test_where_trees_part_is_found_whichever_of_them_has_more(tree: Any, other: Any, path: str) -> None:
    found = structural_difference(tree, other)
    assert found is not None
    place, node, other_node = found
    assert keystr(place) == path
    assert (node, other_node) == ((tree[1], other[1]) if path else (tree, other))


def test_trees_of_one_structure_part_nowhere() -> None:
    assert structural_difference([1, (2, 3)], [4, (5, 6)]) is None
