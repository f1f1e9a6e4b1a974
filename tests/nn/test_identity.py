"""The layer that does nothing."""

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx


@pytest.mark.parametrize("x", ["text", None, [1, 2], jnp.ones(3), object()])
def test_it_returns_the_very_object(x):
    assert eqx.nn.Identity()(x) is x
    assert eqx.nn.Identity()(x, key=jax.random.key(0)) is x


def test_it_ignores_and_forgets_all_arguments():
    identity = eqx.nn.Identity(3, 4, use_bias=False, key=jax.random.key(0))
    assert jax.tree.leaves(identity) == []
    assert vars(identity) == {}


def test_all_instances_are_equal():
    assert eqx.nn.Identity(3) == eqx.nn.Identity(name="other")
    assert len({jax.tree.structure(identity) for identity in (eqx.nn.Identity(3), eqx.nn.Identity())}) == 1
