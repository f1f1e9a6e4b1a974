"""Taking leaves out of a tree and putting others in their place."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinox._transforms.split import Places, split, split_aux

trees = st.recursive(
    st.integers() | st.text(max_size=2) | st.none(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=2), children, max_size=3),
)


def is_integer(leaf):
    return isinstance(leaf, int)


@given(trees)
def test_what_was_taken_out_can_be_put_back(tree):
    selected, remainder = split(tree, is_integer)
    assert all(map(is_integer, selected))
    assert not any(map(is_integer, remainder.leaves))
    assert remainder.join(selected) == tree
    assert remainder.places.join(selected, remainder.leaves) == tree


@given(trees)
def test_an_outline_has_the_selected_leaves_and_one_value_elsewhere(tree):
    selected, remainder = split(tree, is_integer)
    assert remainder.places.outline(selected) == jax.tree.map(lambda leaf: leaf if is_integer(leaf) else None, tree)
    flags = remainder.places.outline([True for _ in selected], elsewhere=False)
    assert flags == jax.tree.map(is_integer, tree)


@given(trees)
def test_places_separate_the_leaves_of_any_tree_alike(tree):
    selected, remainder = split(tree, is_integer)
    others = [str(leaf) for leaf in jax.tree.leaves(tree)]
    assert remainder.places.separate(others) == (list(map(str, selected)), list(map(str, remainder.leaves)))


def test_a_wrong_number_of_leaves_is_not_overlooked():
    places = Places(jax.tree.structure((0, 0)), (True, False))
    with pytest.raises(ValueError, match="zip"):
        places.separate([1])


def test_places_are_equal_if_structure_and_selection_are():
    def places(tree):
        return split(tree, is_integer)[1].places

    assert places([1, "a"]) == places([2, "b"])
    assert hash(places([1, "a"])) == hash(places([2, "b"]))
    assert places([1, "a"]) != places([1, 1])
    assert places([1, "a"]) != places((1, "a"))


def test_aux_is_the_second_item_of_a_pair():
    assert split_aux(len, ("value", "aux")) == ("value", "aux")
    for output in (1, ["value", "aux"], ("value",), ("value", "aux", "more")):
        with pytest.raises(TypeError, match=r"has_aux=True.*`len`.*pair"):
            split_aux(len, output)
