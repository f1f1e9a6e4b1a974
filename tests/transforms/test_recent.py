"""A call is recognised as one of the last by the types of its leaves and by the static ones being the same objects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox._transforms.recent import SELECTED_KINDS, Recent
from tests.strategies import arrays, leaves, pytrees

array = jnp.ones(2)
text = "some text"


def remember(tree, mask=None):
    flat, treedef = jax.tree.flatten(tree)
    if mask is None:
        mask = [eqx.is_array(leaf) for leaf in flat]
    return Recent.make(lambda *arrays: arrays, (), 1, treedef, flat, mask)


@given(pytrees(), st.data())
def test_a_call_is_like_itself_and_its_dynamic_leaves_are_picked_out(tree, data):
    flat = jax.tree.leaves(tree)
    mask = [data.draw(st.booleans()) for _ in flat]
    recent = remember(tree, mask)
    assert recent.has(flat)
    dynamic = [leaf for leaf, is_dynamic in zip(flat, mask, strict=True) if is_dynamic]
    if recent.pick is not None:
        flat = recent.pick(flat)
    else:
        for position in recent.static_positions:
            del flat[position]
    assert [id(leaf) for leaf in flat] == [id(leaf) for leaf in dynamic]


@pytest.mark.parametrize(
    "other",
    [
        [jnp.zeros(3), text],
        [jnp.zeros((), jnp.int32), text],
    ],
)
def test_the_values_and_shapes_of_dynamic_leaves_do_not_matter(other):
    assert remember([array, text]).has(other)


@pytest.mark.parametrize(
    "other",
    [
        [array, text.lower()],
        [array, "other"],
        [text, array],
        [array],
        [array, text, text],
        [np.ones(2), text],
        [1.0, text],
        [array, None],
        [[array], text],
    ],
)
def test_leaves_of_other_types_and_other_static_leaves_do(other):
    assert not remember([array, text]).has(other)


def test_no_dynamic_leaf_is_kept():
    recent = remember([array, text])
    assert not any(kept is array for kept in jax.tree.leaves([recent.static, recent.kinds, recent.pick]))
    assert recent.static == ((1, text),)


@pytest.mark.parametrize("predicate", [eqx.is_array, eqx.is_array_like])
@given(leaf=leaves() | arrays())
def test_leaves_of_the_known_types_are_selected(predicate, leaf):
    if type(leaf) in SELECTED_KINDS[predicate]:
        assert predicate(leaf)


@given(leaf=leaves() | arrays())
def test_arrays_of_jax_that_is_inexact_array_does_not_select_cannot_be_static(leaf):
    if type(leaf) in SELECTED_KINDS[eqx.is_inexact_array] and not eqx.is_inexact_array(leaf):
        with pytest.raises(TypeError):
            hash(leaf)
        with pytest.raises(TypeError, match="Non-hashable"):
            eqx.jitf(lambda leaf: 0, filter_fn=eqx.is_inexact_array)(leaf)


@pytest.mark.parametrize("predicate", SELECTED_KINDS)
def test_concrete_arrays_and_random_keys_are_recognised(predicate):
    assert type(array) in SELECTED_KINDS[predicate]


def test_a_call_that_only_looks_like_the_last_is_judged_by_its_own_leaves():
    function = eqx.jitf(lambda x, y: (x, y), filter_fn=eqx.is_inexact_array)
    for _ in range(2):
        function(array, text)
        with pytest.raises(TypeError, match=r"(?s)Non-hashable.*`x`"):
            function(jnp.arange(2), text)
        np.testing.assert_array_equal(function(jnp.ones(3), text)[0], np.ones(3))
    by_array_like = eqx.jitf(lambda x: x, filter_fn=eqx.is_array_like)
    by_array_like(np.ones(2))
    with pytest.raises(TypeError, match="`x`"):
        by_array_like(np.array(["text"]))
