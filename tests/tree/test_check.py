import jax.numpy as jnp
import pytest
from hypothesis import given

from equinox import tree_check
from tests.strategies import Bare, Pair, Point, pytrees


def test_a_node_at_two_places_is_refused() -> None:
    layer = Pair(jnp.ones(2), 1)
    with pytest.raises(ValueError, match="same object") as info:
        tree_check({"a": [layer], "b": layer})
    for fact in ("`pytree`", "Pair", "['a'][0]", "['b']"):
        assert fact in str(info.value)


def test_the_outermost_shared_node_is_named() -> None:
    layer = Point([1], 2)
    with pytest.raises(ValueError, match="`Point`"):
        tree_check((layer, layer))


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_node_inside_of_itself_is_refused_at_any_depth(depth: int) -> None:
    node: dict[str, object] = {}
    inner: object = node
    for _ in range(depth):
        inner = [inner]
    node["a"] = inner
    with pytest.raises(ValueError, match="inside of itself") as info:
        tree_check((1, node))
    for fact in ("`pytree`", "dict", "`[1]`", "[1]['a']" + "[0]" * depth):
        assert fact in str(info.value)


@pytest.mark.parametrize("shared", [1, "a", jnp.ones(2), None, (), [], {}, Bare(), [None, ()]])
def test_leaves_and_nodes_without_leaves_may_be_repeated(shared: object) -> None:
    tree_check([shared, (shared, {"a": shared})])


def test_equal_nodes_that_are_different_objects_are_fine() -> None:
    tree_check([[1], [1], (1,), (1, 2), {"a": 1}, {"a": 1}, Pair(1, 2), Pair(1, 2)])


@given(tree=pytrees())
def test_a_tree_is_refused_beside_itself_exactly_if_it_is_a_node_with_leaves(tree: object) -> None:
    import jax

    tree_check(tree)
    has_leaves = bool(jax.tree.leaves(tree))
    is_leaf = jax.tree_util.all_leaves([tree])
    if has_leaves and not is_leaf:
        with pytest.raises(ValueError, match="same object"):
            tree_check([tree, tree])
    else:
        tree_check([tree, tree])
