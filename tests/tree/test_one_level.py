import jax
import jax.numpy as jnp
import pytest
from hypothesis import given

from equinox import tree_flatten_one_level
from equinox._tree.one_level import flatten_one_level_with_path, is_tree_leaf
from tests.strategies import Bare, Pair, Point, pytrees, same_tree


def test_only_the_immediate_children_are_taken() -> None:
    inner = [1, [2]]
    children, treedef = tree_flatten_one_level({"a": inner, "b": 3})
    assert children == [inner, 3]
    assert children[0] is inner
    assert treedef.num_leaves == 2


def test_nested_nones_and_nodes_without_leaves_are_children() -> None:
    bare = Bare()
    children, _ = tree_flatten_one_level((None, (), bare, {}))
    assert children == [None, (), bare, {}]
    assert children[2] is bare


@pytest.mark.parametrize("leaf", [1, "a", jnp.ones(2), len])
def test_a_leaf_is_its_own_only_child(leaf: object) -> None:
    children, treedef = tree_flatten_one_level(leaf)
    assert len(children) == 1
    assert children[0] is leaf
    assert treedef == jax.tree.structure(0)


@pytest.mark.parametrize("node", [None, (), [], {}, Bare()])
def test_a_node_without_children_has_none(node: object) -> None:
    children, treedef = tree_flatten_one_level(node)
    assert children == []
    assert treedef == jax.tree.structure(node)


def test_a_node_that_is_its_own_child_is_refused() -> None:
    node: list[object] = [1]
    node.append(node)
    with pytest.raises(ValueError, match=r"`pytree`.*`list`"):
        tree_flatten_one_level(node)


def test_a_node_that_contains_itself_further_down_can_be_flattened() -> None:
    node: list[object] = []
    child = (node,)
    node.append(child)
    children, _ = tree_flatten_one_level(node)
    assert children[0] is child


@given(tree=pytrees())
def test_unflattening_undoes_it(tree: object) -> None:
    children, treedef = tree_flatten_one_level(tree)
    assert same_tree(treedef.unflatten(children), tree)


def test_each_child_comes_with_its_key() -> None:
    children, treedef = flatten_one_level_with_path(Point([1], None))
    assert [(jax.tree_util.keystr(path), child) for path, child in children] == [(".x", [1]), (".y", None)]
    assert treedef.unflatten([0, 1]) == Point(0, 1)


@pytest.mark.parametrize(("node", "answer"), [(1, True), ("a", True), (None, False), ((), False), (Pair(1, 2), False)])
def test_a_leaf_is_what_jax_does_not_take_apart(node: object, answer: bool) -> None:
    assert is_tree_leaf(node) is answer
