"""A tree with holes is put together around new leaves, and keeps alive neither the old ones nor its anchor."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinox._transforms.template import StaticArgument, Template
from tests.strategies import pytrees, same_tree


@given(pytrees(), st.data())
def test_filling_the_holes_with_what_was_there_gives_the_tree_back(tree, data):
    leaves, treedef = jax.tree.flatten(tree)
    mask = [data.draw(st.booleans()) for _ in leaves]
    template = Template(treedef, leaves, mask, None)
    dynamic = [leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic]
    assert template.hole_count == len(dynamic)
    for _ in range(2):
        assert same_tree(template.fill(dynamic), tree)


def test_holes_are_filled_in_order():
    leaves, treedef = jax.tree.flatten({"a": 1, "b": [2, 3], "c": 4})
    template = Template(treedef, leaves, [True, False, True, True], None)
    assert template.fill("xyz") == {"a": "x", "b": [2, "y"], "c": "z"}
    assert template.fill([None, 0, None]) == {"a": None, "b": [2, 0], "c": None}


@pytest.mark.parametrize("dynamic", ["", "x", "xyz"])
def test_the_number_of_new_leaves_must_be_that_of_the_holes(dynamic):
    leaves, treedef = jax.tree.flatten([1, 2, 3])
    with pytest.raises(ValueError, match="zip"):
        Template(treedef, leaves, [True, False, True], None).fill(dynamic)


def test_arguments_that_are_static_as_a_whole_come_back_as_they_were():
    argument = {"not": ["taken", "apart"]}
    leaves, treedef = jax.tree.flatten((StaticArgument(argument), 1))
    filled = Template(treedef, leaves, [False, True], None).fill([2])
    assert filled[0] is argument
    assert filled[1] == 2


def test_dynamic_leaves_are_not_kept():
    array, static = jnp.ones(2), np.ones(2)
    leaves, treedef = jax.tree.flatten([array, static])
    template = Template(treedef, leaves, [True, False], None)
    reference = weakref.ref(array)
    del array, leaves
    gc.collect()
    assert reference() is None
    assert template.fill([0])[1] is static


def test_the_anchor_is_put_in_but_not_kept():
    def make():
        def anchor(): ...
        def other(): ...

        leaves, treedef = jax.tree.flatten({"a": anchor, "b": [anchor, other], "c": 1})
        return Template(treedef, leaves, [False, False, False, True], anchor), anchor, other

    template, anchor, other = make()
    filled = template.fill([2])
    assert filled["a"] is anchor
    assert filled["b"][0] is anchor
    assert filled["b"][1] is other
    reference = weakref.ref(anchor)
    del anchor, filled
    gc.collect()
    assert reference() is None
