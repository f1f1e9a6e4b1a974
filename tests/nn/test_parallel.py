"""Several layers that have the same input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)


class Counter(eqx.nn.StatefulLayer):
    step: int

    def __call__(self, x, state, *, key=None):
        return x + state, state + self.step


def test_each_layer_gets_the_input_and_the_outputs_come_as_a_tuple():
    model = eqx.nn.Parallel([eqx.nn.Identity(), eqx.nn.Lambda(jnp.negative)])
    assert model(jnp.float32(3)) == (3, -3)


def test_outputs_are_merged():
    layers = [eqx.nn.Linear(3, 2, key=key), eqx.nn.Linear(3, 2, key=jax.random.key(1))]
    x = jnp.arange(3.0)
    a, b = (layer(x) for layer in layers)
    np.testing.assert_allclose(eqx.nn.Parallel(layers, sum)(x), a + b, rtol=1e-6)
    assert jnp.array_equal(eqx.nn.Parallel(layers, merge=jnp.concatenate)(x), jnp.concatenate([a, b]))


def test_the_layers_may_come_from_any_iterable():
    assert eqx.nn.Parallel(eqx.nn.Identity() for _ in range(3))(1) == (1, 1, 1)


def test_each_layer_gets_its_own_part_of_the_key():
    dropout = eqx.nn.Dropout(0.5)
    x = jnp.ones(20)
    found = eqx.nn.Parallel([dropout, dropout], jnp.stack)(x, key=key)
    assert jnp.array_equal(found, jnp.stack([dropout(x, key=part) for part in jax.random.split(key)]))


def test_a_state_is_passed_from_layer_to_layer():
    model = eqx.nn.Parallel([Counter(1), eqx.nn.Identity(), Counter(10)])
    assert model.is_stateful()
    assert model(100, 5) == ((105, 100, 106), 16)
    assert not eqx.nn.Parallel([eqx.nn.Identity()]).is_stateful()
    assert eqx.nn.Parallel([eqx.nn.Identity()])(100, 5) == ((100,), 5)


def test_a_stateful_layer_without_a_state_is_an_error():
    with pytest.raises(ValueError, match=r"`Parallel`.*`layers\[1\]` of type `Counter`"):
        eqx.nn.Parallel([eqx.nn.Identity(), Counter(1)])(1)


def test_a_function_is_an_error_that_says_what_to_do():
    with pytest.raises(TypeError) as info:
        eqx.nn.Parallel([lambda x: x])(1)
    assert "`layers[0]` was called with" in info.value.__notes__[0]
