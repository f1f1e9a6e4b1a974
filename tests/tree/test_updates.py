from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox import apply_updates
from equinox._jax_tree import tree_flatten, tree_structure
from tests.naming import show
from tests.strategies import INEXACT_JAX_ARRAYS, PYTHON_NUMBERS, Pair, Point, Record, pytrees, same_tree

NUMBERS = st.sampled_from(PYTHON_NUMBERS)
WEAK = jnp.asarray(1.0)


@given(tree=pytrees(NUMBERS))
def test_each_update_is_added_to_its_leaf(tree: Any) -> None:
    leaves, treedef = tree_flatten(tree)
    updated = apply_updates(tree, treedef.unflatten(range(len(leaves))))
    assert tree_structure(updated) == treedef
    assert jax.tree.leaves(updated) == [leaf + i for i, leaf in enumerate(leaves)]


@given(tree=pytrees())
def test_none_leaves_everything_as_it_is(tree: Any) -> None:
    assert apply_updates(tree, None) is tree
    assert same_tree(apply_updates(tree, jax.tree.map(lambda _: None, tree)), tree)


def test_none_above_a_subtree_leaves_it_unchanged() -> None:
    model: Any = {"a": [1, 2], "b": Pair(3, Record("x", "static"))}
    updated = apply_updates(model, {"a": [10, None], "b": None})
    assert updated["a"] == [11, 2]
    assert updated["b"] is model["b"]


def test_gradients_with_none_at_what_is_not_differentiated_can_be_applied() -> None:
    model = Pair(jnp.ones(2), jnp.tanh)
    grads = eqx.filter_grad(lambda m: m.second(m.first).sum())(model)
    updated = apply_updates(model, jax.tree.map(lambda g: -g, grads))
    np.testing.assert_allclose(updated.first, 1 - (1 - jnp.tanh(1.0) ** 2), rtol=1e-6)
    assert updated.second is jnp.tanh


# Dtypes


@pytest.mark.parametrize("leaf", INEXACT_JAX_ARRAYS, ids=show)
@pytest.mark.parametrize("update", [1.0, jnp.float32(2), jnp.float16(2), np.float64(2)], ids=show)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_jax_array_keeps_its_dtype_and_weak_type(leaf: jax.Array, update: Any, transform: Any) -> None:
    updated = transform(apply_updates)(leaf, update)
    assert isinstance(updated, jax.Array)
    assert (updated.dtype, updated.weak_type, updated.shape) == (leaf.dtype, leaf.weak_type, leaf.shape)
    np.testing.assert_allclose(updated, leaf + jnp.asarray(update, leaf.dtype))


def test_an_integer_array_stays_one() -> None:
    updated = apply_updates(jnp.array([1, 2]), jnp.array([0.75, 1.5]))
    assert updated.dtype == jnp.int32
    assert updated.tolist() == [1, 3]


def test_a_weak_array_that_is_broadcast_gets_its_new_shape() -> None:
    assert apply_updates(WEAK, jnp.ones(2)).shape == (2,)


@pytest.mark.parametrize("leaf", [np.ones(2, np.float32), np.float32(1), np.ones(2, np.float16)], ids=show)
def test_a_numpy_array_keeps_its_dtype(leaf: Any) -> None:
    updated = apply_updates(leaf, np.float64(0.5))
    assert isinstance(updated, (np.ndarray, np.generic))
    assert updated.dtype == leaf.dtype
    assert np.all(updated == 1.5)


def test_a_numpy_array_and_a_jax_update_give_a_jax_array_of_the_nearest_dtype() -> None:
    updated = apply_updates(np.ones(2, np.float64), jnp.ones(2, jnp.float16))
    assert isinstance(updated, jax.Array)
    assert updated.dtype == jnp.float32
    with jax.enable_x64(True):
        assert apply_updates(np.ones(2, np.float64), jnp.ones(2, jnp.float32)).dtype == jnp.float64


def test_a_compiled_step_is_not_compiled_again_for_its_own_result() -> None:
    traces = 0

    @jax.jit
    def step(model: Any) -> Any:
        nonlocal traces
        traces += 1
        return apply_updates(model, jax.tree.map(jnp.float32, {"weak": 1, "half": 2}))

    model = {"weak": WEAK, "half": jnp.ones(2, jnp.float16)}
    for _ in range(3):
        model = step(model)
    assert traces == 1


def test_python_leaves_are_added_as_python_does() -> None:
    updated = apply_updates([1, "a", 2.0], [0.5, "b", True])
    assert updated == [1.5, "ab", 3.0]


def test_a_node_with_its_own_addition_takes_an_update_whole() -> None:
    class Offset(eqx.Module):
        value: Any

        def __add__(self, other: int) -> "Offset":
            return Offset(self.value + 100 * other)

    updated = apply_updates([Offset(1), Offset(2)], [3, None])
    assert [offset.value for offset in updated] == [301, 2]


# Errors


@pytest.mark.parametrize(
    ("model", "updates", "place"),
    [
        ({"a": [1, 2]}, {"a": [1]}, "['a']"),
        ({"a": [1, 2]}, {"a": (1, 2)}, "['a']"),
        ({"a": 1, "b": 2}, {"a": 1}, "`updates`"),
        ({"a": 1}, {"a": [1]}, "['a']"),
        ({"a": [1, 2]}, {"a": 1}, "['a']"),
        ({"a": [1, 2]}, {"a": np.ones(2)}, "['a']"),
        ([0, None], [0, 1], "[1]"),
        (Point(1, {"a": 2}), Point(1, 2), ".y"),
    ],
)
def test_another_structure_is_refused_with_the_place(model: Any, updates: Any, place: str) -> None:
    with pytest.raises(ValueError, match="`updates`") as info:
        apply_updates(model, updates)
    assert place in str(info.value)
    assert "`model`" in str(info.value)


@pytest.mark.parametrize(
    ("leaf", "update"),
    [(jnp.tanh, 1), ("a", 1), (jax.random.key(0), 1), (jnp.ones(2), jnp.ones(3)), (np.ones(2), np.ones(3)), (1, "a")],
    ids=show,
)
def test_what_cannot_be_added_is_refused_with_the_place(leaf: Any, update: Any) -> None:
    with pytest.raises(TypeError, match=r"`updates`.*`\['a'\]\[1\]`.*`model`"):
        apply_updates({"a": [1, leaf]}, {"a": [1, update]})
