"""Leaves that are not arrays get through JAX, and are told apart when programs are looked up."""

import copy
import gc
import math
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx
from equinox._transforms.conceal import conceal, reveal, static_key
from tests.strategies import leaves, pytrees, same_tree

scalars = st.one_of(
    st.integers(),
    st.booleans(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=2),
    st.binary(max_size=2),
    st.floats(width=32).map(np.float32),
    st.floats().map(np.float64),
    st.integers(0, 3).map(np.int32),
    st.integers(0, 3).map(np.int64),
)


def is_visible(leaf):
    return eqx.is_array(leaf)


# Concealing


@given(pytrees(), st.booleans())
@settings(max_examples=50)
def test_only_visible_leaves_remain_and_the_others_come_back(tree, in_place):
    concealed = conceal(tree, is_visible, in_place=in_place)
    expected = [leaf for leaf in jax.tree.leaves(tree) if eqx.is_array(leaf)]
    assert [id(leaf) for leaf in jax.tree.leaves(concealed)] == [id(leaf) for leaf in expected]
    assert same_tree(reveal(jax.tree.map(lambda leaf: leaf, concealed)), tree)


@given(pytrees(), st.booleans())
@settings(max_examples=25)
def test_concealed_trees_pass_through_jax_and_come_out_as_they_were(tree, in_place):
    output = reveal(jax.jit(lambda: conceal(tree, eqx.is_inexact_array, in_place=in_place))())
    assert jax.tree.structure(output) == jax.tree.structure(tree)
    for found, leaf in zip(jax.tree.leaves(output), jax.tree.leaves(tree), strict=True):
        if eqx.is_inexact_array(leaf):
            np.testing.assert_array_equal(found, leaf)
        else:
            assert found is leaf


@pytest.mark.parametrize("in_place", [False, True])
def test_a_tree_without_anything_to_conceal_stays_the_same_object(in_place):
    tree = {"a": jnp.ones(2), "b": [jnp.ones(3)]}
    assert conceal(tree, is_visible, in_place=in_place) is tree
    assert reveal(tree) is tree


def test_in_place_a_prefix_of_the_tree_fits():
    concealed = conceal({"a": jnp.ones(2), "b": [jnp.ones(3), "text"]}, is_visible, in_place=True)
    for prefix in ({"a": "first", "b": "second"}, {"a": "first", "b": ["second", "none"]}):
        found = jax.tree.map(lambda name, subtree: (name, jax.tree.leaves(subtree)), prefix, concealed)
        assert found["a"][1] == [concealed["a"]]


@pytest.mark.parametrize("in_place", [False, True])
def test_leaves_that_can_neither_be_hashed_nor_compared_can_be_concealed(in_place):
    class Stubborn:  # noqa: PLW1641 # that is the point
        def __eq__(self, other):
            raise RuntimeError("not to be compared")

    stubborn, array = Stubborn(), np.ones(2)
    concealed = conceal([stubborn, array, {1, 2}], lambda leaf: False, in_place=in_place)
    hash(jax.tree.structure(concealed))
    back = reveal(jax.tree.map(lambda leaf: leaf, concealed))
    assert back[0] is stubborn
    assert back[1] is array
    # The same object is the same; of others nothing is known.
    again = conceal(back, lambda leaf: False, in_place=in_place)
    other = conceal([Stubborn(), array, back[2]], lambda leaf: False, in_place=in_place)
    assert jax.tree.structure(again) == jax.tree.structure(concealed)
    assert jax.tree.structure(other) != jax.tree.structure(concealed)


@given(leaves(), leaves(), st.booleans())
def test_structures_are_equal_exactly_if_what_they_conceal_has_the_same_key(first, second, in_place):
    def structure(leaf):
        return jax.tree.structure(conceal({"a": leaf}, lambda leaf: False, in_place=in_place))

    arrays = (jax.Array, np.ndarray)
    if isinstance(first, arrays) or isinstance(second, arrays):
        return  # never static where keys are compared
    are_equal = static_key(first) == static_key(second)
    assert (structure(first) == structure(second)) == are_equal
    if are_equal:
        assert hash(structure(first)) == hash(structure(second))


@pytest.mark.parametrize("in_place", [False, True])
def test_what_is_concealed_can_be_carried_through_a_loop(in_place):
    def step(carry, x):
        weight, function, text = reveal(jax.tree.map(lambda leaf: leaf, carry))
        return conceal((weight + x, function, text), is_visible, in_place=in_place), None

    start = conceal((jnp.array(0.0), jnp.tanh, "text"), is_visible, in_place=in_place)
    weight, function, text = reveal(jax.lax.scan(step, start, jnp.arange(4.0))[0])
    assert weight == 6
    assert function is jnp.tanh
    assert text == "text"


@pytest.mark.parametrize("in_place", [False, True])
def test_the_anchor_comes_out_but_is_not_kept(in_place):
    def make():
        def anchor(): ...
        def other(): ...

        weak = weakref.ref(anchor)
        structure = jax.tree.structure(conceal([anchor, other, anchor], lambda leaf: False, weak, in_place=in_place))
        return structure, anchor, other

    structure, anchor, other = make()
    found = reveal(structure.unflatten([]))
    assert [id(leaf) for leaf in found] == [id(anchor), id(other), id(anchor)]
    references = [weakref.ref(anchor), weakref.ref(other)]
    del anchor, other, found
    gc.collect()
    assert [reference() is None for reference in references] == [True, False]


# Keys


@given(scalars, scalars)
def test_scalars_have_the_same_key_exactly_if_they_look_the_same_and_are_of_one_type(first, second):
    looks_the_same = type(first) is type(second) and repr(first) == repr(second)
    assert (static_key(first) == static_key(second)) == looks_the_same
    if looks_the_same:
        assert hash(static_key(first)) == hash(static_key(second))


@given(scalars)
def test_a_copy_has_the_same_key(leaf):
    for other in (copy.deepcopy(leaf), (leaf, leaf)[1]):
        assert static_key(other) == static_key(leaf)
        assert static_key((leaf, (other,))) == static_key((other, (leaf,)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (1.0, 1 + 0j),
        (0.0, -0.0),
        (0j, -0j),
        (complex(0.0, 1.0), complex(-0.0, 1.0)),
        (complex(1.0, 0.0), complex(1.0, -0.0)),
        (math.nan, math.inf),
        (np.float32(1), 1.0),
        (np.float64(1), 1.0),
        (np.float32(0), np.float32(-0.0)),
        (np.datetime64(1, "s"), np.datetime64(1, "D")),
        (np.timedelta64(1, "s"), np.timedelta64(1, "ms")),
        ("a", b"a"),
        ((1,), (1.0,)),
        ((1,), (True,)),
        ((0.0,), (-0.0,)),
        (((1,),), ((1.0,),)),
        ((1, 2), (2, 1)),
        ((), None),
    ],
)
def test_what_equality_cannot_tell_apart_has_different_keys(first, second):
    assert static_key(first) != static_key(second)
    assert static_key((first,)) != static_key((second,))


def test_nan_has_the_same_key_as_nan():
    for first, second in [
        (math.nan, float("nan")),
        (complex(math.nan, 0.0), complex(float("nan"), 0.0)),
        (np.float32("nan"), np.float32("nan")),
        ((1, math.nan), (1, float("nan"))),
    ]:
        assert static_key(first) == static_key(second)
        assert hash(static_key(first)) == hash(static_key(second))


def test_named_tuples_are_told_apart_by_type():
    class First(tuple):
        __slots__ = ()

    class Second(tuple):
        __slots__ = ()

    assert static_key(First((1,))) != static_key(Second((1,)))
    assert static_key(First((1,))) != static_key((1,))
    assert static_key(First((1,))) == static_key(First((1,)))
