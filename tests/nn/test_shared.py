"""One parameter at several places."""

import copy
import io
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

keys = jax.random.split(jax.random.key(0), 2)


def linears() -> Any:
    return tuple(eqx.nn.Linear(3, 3, key=key) for key in keys)


def second_weight(pair):
    return pair[1].weight


def first_weight(pair):
    return pair[0].weight


def test_the_tied_node_is_the_other_one_itself():
    pair = linears()
    tied = eqx.nn.Shared(pair, second_weight, first_weight)()
    assert tied[1].weight is tied[0].weight is pair[0].weight
    assert tied[1].bias is pair[1].bias
    assert type(tied) is tuple


def test_a_shared_parameter_is_held_once():
    shared = eqx.nn.Shared(linears(), second_weight, first_weight)
    assert len(jax.tree.leaves(eqx.filter(shared, eqx.is_array))) == 3
    assert "weight=SharedNode" in repr(shared)


def test_several_nodes_can_be_tied():
    shared = eqx.nn.Shared(linears(), lambda p: (p[1].weight, p[1].bias), lambda p: (p[0].weight, p[0].bias))
    tied = shared()
    assert tied[1].weight is tied[0].weight
    assert tied[1].bias is tied[0].bias
    assert len(jax.tree.leaves(eqx.filter(shared, eqx.is_array))) == 2


def test_a_whole_layer_can_be_tied():
    shared = eqx.nn.Shared(linears(), lambda pair: pair[1], lambda pair: pair[0])
    tied = shared()
    assert tied[1] is shared.pytree[0]
    assert tied[1].weight is tied[0].weight
    assert len(jax.tree.leaves(eqx.filter(shared, eqx.is_array))) == 2


def test_the_other_node_may_be_computed_with():
    embedding = eqx.nn.Linear(2, 5, use_bias=False, key=keys[0])
    head = eqx.nn.Linear(5, 2, use_bias=False, key=keys[1])
    shared = eqx.nn.Shared((embedding, head), second_weight, lambda pair: pair[0].weight.T + 1)
    assert jnp.array_equal(shared()[1].weight, embedding.weight.T + 1)


def test_gradients_of_all_places_add_up_and_updates_keep_the_tie():
    shared = eqx.nn.Shared(linears(), second_weight, first_weight)

    @eqx.filter_grad
    def gradient(shared, x):
        first, second = shared()
        return jnp.sum(second(first(x)))

    def untied(weight, other_weight, x):
        first, second = linears()
        return jnp.sum(other_weight @ (weight @ x + first.bias) + second.bias)

    x = jnp.arange(3.0)
    weight = shared.pytree[0].weight
    expected = sum(jax.grad(untied, (0, 1))(weight, weight, x))
    found = gradient(shared, x)
    np.testing.assert_allclose(found.pytree[0].weight, expected, rtol=1e-5)
    assert not eqx.is_array(found.pytree[1].weight)
    updated = eqx.apply_updates(shared, found)
    assert updated()[1].weight is updated()[0].weight
    np.testing.assert_allclose(updated()[1].weight, weight + expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("pytree", "where", "get"),
    [
        ((jnp.ones(2), jnp.ones(3)), lambda p: p[0], lambda p: p[1]),
        ((jnp.ones(2), jnp.ones(2, int)), lambda p: p[0], lambda p: p[1]),
        ((jnp.ones(2), [jnp.ones(2)]), lambda p: p[0], lambda p: p[1]),
        ((jnp.ones(2), 1.0), lambda p: p[0], lambda p: p[1]),
        (("a", "b"), lambda p: p[0], lambda p: p[1]),
        ((jnp.ones(2), jnp.ones(2)), lambda p: [p[0]], lambda p: (p[1],)),
    ],
)
def test_nodes_that_differ_in_more_than_values_are_an_error_that_shows_both(pytree, where, get):
    with pytest.raises(ValueError, match=r"`get`.*structure") as info:
        eqx.nn.Shared(pytree, where, get)
    for node in (where(pytree), get(pytree)):
        assert f"`{eqx.tree_pformat(node)}`" in str(info.value)


def test_a_node_cannot_be_tied_to_one_that_was_taken_out():
    with pytest.raises(ValueError, match=r"`get`.*taken out"):
        eqx.nn.Shared(linears(), second_weight, second_weight)


def test_what_is_not_in_the_tree_cannot_be_tied():
    with pytest.raises(TypeError, match="`where`"):
        eqx.nn.Shared(linears(), lambda _: 0, first_weight)


def test_tied_models_that_are_made_alike_compile_once():
    traces = 0

    @eqx.filter_jit
    def call(shared):
        nonlocal traces
        traces += 1
        return shared()[1](jnp.ones(3))

    for _ in range(2):
        call(eqx.nn.Shared(linears(), second_weight, first_weight))
    assert traces == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda shared: pickle.loads(pickle.dumps(shared))])
def test_copies_are_equal(duplicate):
    shared = eqx.nn.Shared(linears(), second_weight, first_weight)
    assert duplicate(shared) == shared


def test_tied_models_can_be_saved_and_loaded():
    shared = eqx.nn.Shared(linears(), second_weight, first_weight)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, shared)
    file.seek(0)
    like = eqx.tree_at(lambda shared: shared.pytree[0].weight, shared, jnp.zeros((3, 3)))
    loaded = eqx.tree_deserialise_leaves(file, like)
    assert jnp.array_equal(loaded()[1].weight, shared()[0].weight)
