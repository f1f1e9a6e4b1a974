"""Functions as layers."""

import jax
import jax.numpy as jnp

import equinox as eqx


def test_it_calls_the_function_without_the_key():
    received = []

    def function(*args, **kwargs):
        received.append((args, kwargs))
        return "result"

    assert eqx.nn.Lambda(function)("x", key=jax.random.key(0)) == "result"
    assert received == [(("x",), {})]


def test_a_plain_function_is_its_only_leaf():
    assert jax.tree.leaves(eqx.nn.Lambda(jnp.tanh)) == [jnp.tanh]
    assert eqx.nn.Lambda(fn=jnp.tanh).fn is jnp.tanh


def test_a_module_inside_keeps_its_parameters():
    linear = eqx.nn.Linear(2, 3, key=jax.random.key(0))
    layer = eqx.nn.Lambda(linear)
    assert [x.shape for x in jax.tree.leaves(layer)] == [(3, 2), (3,)]
    gradient = eqx.filter_grad(lambda layer, x: layer(x).sum())(layer, jnp.ones(2))
    assert jnp.array_equal(gradient.fn.weight, jnp.ones((3, 2)))
