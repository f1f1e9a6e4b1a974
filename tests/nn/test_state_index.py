"""References to values in a state."""

import copy
import pickle

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx


def test_an_index_holds_its_initial_value_whose_leaves_are_its_own():
    init = {"a": jnp.ones(2), "b": (1, None)}
    index = eqx.nn.StateIndex(init)
    assert index.init is init
    assert len(jax.tree.leaves(index)) == 2


def test_indices_of_equal_values_are_different():
    first, second = eqx.nn.StateIndex(0), eqx.nn.StateIndex(0)
    assert first.marker != second.marker
    state = eqx.nn.State([first, second]).set(first, 1)
    assert (int(state.get(first)), int(state.get(second))) == (1, 0)


def test_a_function_instead_of_a_value_is_an_error_that_names_it():
    def make():
        return jnp.zeros(2)

    with pytest.raises(ValueError, match=r"`init`.*`StateIndex`.*make"):
        eqx.nn.StateIndex(make)


def test_its_text_is_short():
    assert repr(eqx.nn.StateIndex(1)) == "StateIndex(marker=<unnamed>, init=1)"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_of_an_index_and_its_state_belong_together(duplicate):
    index = eqx.nn.StateIndex(jnp.ones(2))
    index_copy, state_copy = duplicate((index, eqx.nn.State(index)))
    assert jnp.array_equal(state_copy.get(index_copy), jnp.ones(2))


def test_an_index_survives_transformations_of_the_model():
    index = eqx.nn.StateIndex(jnp.ones(2))
    state = eqx.nn.State(index)
    returned = eqx.filter_jit(lambda index: index)(index)
    assert jnp.array_equal(state.get(returned), jnp.ones(2))


@pytest.mark.parametrize("model", [eqx.nn.StateIndex(jnp.ones(2)), {"a": [eqx.nn.StateIndex(1), jnp.ones(3)]}, None])
def test_deleting_initial_values_leaves_all_other_leaves(model):
    count = len(jax.tree.leaves(model))
    deleted = eqx.nn.delete_init_state(model)
    assert len(jax.tree.leaves(deleted)) == max(count - 1, 0)
    assert len(jax.tree.leaves(model)) == count
    assert eqx.tree_equal(eqx.nn.delete_init_state(deleted), deleted)


def test_indices_without_initial_values_refer_to_the_same_values_as_before():
    model = [eqx.nn.StateIndex(jnp.ones(2))]
    state = eqx.nn.State(model)
    assert jnp.array_equal(state.get(eqx.nn.delete_init_state(model)[0]), jnp.ones(2))
