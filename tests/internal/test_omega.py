import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.internal import ω  # noqa: PLC2403 # its name

A = {"a": jnp.array([1, 6]), "b": (jnp.array(3), 4)}
B = {"a": jnp.array([2, 3]), "b": (jnp.array(1), 2)}

BINARY = [
    ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"],
    ["and_", "or_", "xor", "lshift", "rshift"],
    ["lt", "le", "eq", "ne", "ge", "gt"],
]
OPERATORS = [getattr(operator, name) for names in BINARY for name in names]
OTHERS = [2, jnp.array(2), np.int32(2), np.array(2)]


def is_equal(x, y):
    assert jax.tree.structure(x) == jax.tree.structure(y)
    return all(jax.tree.leaves(jax.tree.map(jnp.array_equal, x, y)))


@pytest.mark.parametrize("function", OPERATORS)
def test_operators_act_on_the_leaves_of_two_trees(function):
    assert is_equal(function(A**ω, B**ω).ω, jax.tree.map(function, A, B))


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("function", [operator.sub, operator.pow, operator.lt])
def test_numbers_and_arrays_act_on_every_leaf_from_either_side(function, other):
    assert is_equal(function(A**ω, other).ω, jax.tree.map(lambda a: function(a, other), A))
    if function is not operator.pow or not isinstance(other, jax.Array):  # `array**ω`, see below
        assert is_equal(function(other, ω(A)).ω, jax.tree.map(lambda a: function(other, a), A))


@pytest.mark.parametrize("function", [operator.neg, operator.pos, abs, operator.invert])
def test_operators_with_one_operand_act_on_every_leaf(function):
    assert is_equal(function(A**ω).ω, jax.tree.map(function, A))


def test_matrices_are_multiplied_leaf_by_leaf():
    matrices = [jnp.ones((2, 3)), jnp.ones((2, 2))]
    vectors = [jnp.arange(3.0), jnp.arange(2.0)]
    assert is_equal((matrices**ω @ vectors**ω).ω, [jnp.full(2, 3.0), jnp.full(2, 1.0)])
    assert is_equal((jnp.ones((1, 2)) @ ω([jnp.ones(2)])).ω, [jnp.full(1, 2.0)])


@pytest.mark.parametrize("tree", [[3], {"a": 1}, 3, jnp.arange(3), np.arange(3), None, "text"])
def test_a_tree_to_the_power_of_the_class_is_wrapped(tree):
    wrapped = tree**ω
    assert isinstance(wrapped, ω)
    assert wrapped.ω is tree


def test_a_number_to_the_power_of_a_wrapped_tree_is_a_power():
    assert (2 ** ω([3])).ω == [8]


def test_the_power_binds_tighter_than_anything_else():
    params, grads = [jnp.array(3.0)], [jnp.array(2.0)]
    assert (params**ω - 0.5 * grads**ω).ω == [2]


def test_items_are_taken_from_every_leaf():
    tree = [jnp.arange(3), jnp.arange(6).reshape(3, 2)]
    assert is_equal(ω(tree)[1].ω, [tree[0][1], tree[1][1]])
    assert is_equal(ω(tree)[1:, ...].ω, [tree[0][1:], tree[1][1:]])


@pytest.mark.parametrize("how", ["set", "add", "multiply", "divide", "power", "min", "max"])
def test_places_are_updated_in_every_leaf(how):
    tree = {"a": jnp.arange(3.0), "b": np.ones((3, 2), np.float32)}
    values = {"a": jnp.array(2.0), "b": jnp.array([3.0, 4.0])}
    expected = {name: getattr(jnp.asarray(tree[name]).at[1], how)(values[name]) for name in tree}
    assert is_equal(getattr(ω(tree).at[1], how)(ω(values)).ω, expected)
    expected = {name: getattr(jnp.asarray(tree[name]).at[:2], how)(5) for name in tree}
    assert is_equal(getattr(ω(tree).at[:2], how)(5).ω, expected)


def test_functions_are_applied_to_every_leaf():
    assert is_equal(ω(A).call(jnp.sin).ω, jax.tree.map(jnp.sin, A))


def test_nodes_may_be_leaves():
    def is_pair(node):
        return isinstance(node, tuple)

    lengths = ω([(1, 2), (3,)], is_leaf=is_pair).call(len)
    assert lengths.ω == [2, 1]
    assert lengths.is_leaf is is_pair
    assert (ω([(1,)], is_leaf=is_pair) + ω([(2,)], is_leaf=is_pair)).ω == [(1, 2)]
    alike = [lambda node: isinstance(node, tuple) for _ in range(2)]
    assert (ω([(1,)], alike[0]) + ω([(2,)], alike[1])).ω == [(1, 2)]


def test_trees_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="structure"):
        ω([1, 2]) + ω([1])
    with pytest.raises(ValueError, match="is_leaf"):
        ω([1], is_leaf=lambda _: True) + ω([1])
    with pytest.raises(ValueError, match="is_leaf"):
        ω([1], lambda x: isinstance(x, tuple)) + ω([1], lambda x: isinstance(x, list))


@pytest.mark.parametrize("other", [[1], (1,), "text", None, {"a": 1}])
def test_anything_else_is_an_error_that_says_how_to_write_it(other):
    with pytest.raises(RuntimeError, match=r"`tree\*\*ω`"):
        ω([1]) + other
    with pytest.raises(RuntimeError, match=r"`tree\*\*ω`"):
        _ = ω([1]) == other


def test_it_is_no_tree_and_has_the_hash_of_an_object():
    wrapped = ω([1])
    assert jax.tree.leaves(wrapped)[0] is wrapped
    assert {wrapped: 1}[wrapped] == 1
    other = ω([1])
    assert hash(other) != hash(wrapped)
    assert repr(wrapped) == "ω([1])"


@settings(max_examples=20)
@given(st.recursive(st.integers(-5, 5), lambda children: st.lists(children, max_size=3), max_leaves=5))
def test_arithmetic_is_that_of_the_leaves(tree):
    assert (2 * tree**ω + 1 - tree**ω).ω == jax.tree.map(lambda x: x + 1, tree)
