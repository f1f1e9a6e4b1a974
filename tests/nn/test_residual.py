"""A layer whose output is added to its input."""

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx

key = jax.random.key(0)


class Counter(eqx.nn.StatefulLayer):
    def __call__(self, x, state, *, key=None):
        return 10 * x, state + 1


def test_the_output_is_added_to_the_input():
    linear = eqx.nn.Linear(3, 3, key=key)
    x = jnp.arange(3.0)
    assert jnp.array_equal(eqx.nn.Residual(linear)(x), x + linear(x))


def test_the_layer_gets_the_key():
    dropout = eqx.nn.Dropout(0.5)
    x = jnp.ones(20)
    assert jnp.array_equal(eqx.nn.Residual(dropout)(x, key=key), x + dropout(x, key=key))


def test_a_stateful_layer_gets_the_state():
    block = eqx.nn.Residual(Counter())
    assert block.is_stateful()
    assert block(jnp.float32(1), 5) == (11, 6)
    assert eqx.nn.Sequential([block, eqx.nn.Identity(), block])(jnp.float32(1), 0) == (121, 2)


def test_a_layer_without_state_passes_the_state_through():
    block = eqx.nn.Residual(eqx.nn.Identity())
    assert not block.is_stateful()
    assert block(jnp.float32(1), None) == (2, None)


def test_a_stateful_layer_without_a_state_is_an_error():
    with pytest.raises(ValueError, match=r"`Residual`.*`layer` of type `Counter`"):
        eqx.nn.Residual(Counter())(jnp.ones(2))


def test_a_function_is_an_error_that_says_what_to_do():
    with pytest.raises(TypeError) as info:
        eqx.nn.Residual(lambda x: x)(jnp.ones(2))
    assert "`layer` was called with" in info.value.__notes__[0]
    assert "eqx.nn.Lambda" in info.value.__notes__[0]


def test_an_output_of_another_shape_is_an_error_even_where_it_could_be_broadcast():
    block = eqx.nn.Residual(eqx.nn.Linear(3, 1, key=key))
    with pytest.raises(ValueError, match=r"\(3,\).*`Linear`.*\(1,\)"):
        block(jnp.ones(3))
