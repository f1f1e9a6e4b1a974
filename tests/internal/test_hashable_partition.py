import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.internal import hashable_combine, hashable_partition

TREE = {"a": (jnp.arange(3), "text"), "b": [1, None, jnp.ones(2)]}


@pytest.mark.parametrize("filter_fn", [eqx.is_array, eqx.is_inexact_array, lambda _: True, lambda _: False])
def test_combining_undoes_partitioning(filter_fn):
    assert eqx.tree_equal(hashable_combine(*hashable_partition(TREE, filter_fn)), TREE)


def test_each_part_has_none_in_place_of_the_leaves_of_the_other():
    dynamic, (static, _) = hashable_partition(TREE, eqx.is_array)
    assert [leaf is None for leaf in dynamic] == [False, True, True, False]
    assert static == (None, "text", 1, None)
    assert dynamic[0] is TREE["a"][0]


def test_the_static_part_has_a_hash_and_equals_that_of_a_tree_like_it():
    _, static = hashable_partition(TREE, eqx.is_array)
    _, same = hashable_partition(eqx.tree_at(lambda tree: tree["a"][0], TREE, jnp.zeros(7)), eqx.is_array)
    _, other = hashable_partition(eqx.tree_at(lambda tree: tree["a"][1], TREE, "other"), eqx.is_array)
    assert {static: 1}[same] == 1
    assert static != other


def test_other_leaves_may_take_their_places():
    dynamic, static = hashable_partition(TREE, eqx.is_array)
    doubled = hashable_combine([None if leaf is None else 2 * leaf for leaf in dynamic], static)
    assert doubled["b"][2].tolist() == [2, 2]
    assert doubled["a"][1] == "text"
