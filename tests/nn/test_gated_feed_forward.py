"""A feed-forward network whose hidden neurons are multiplied by gates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
x = np.array([1.0, -2.0, 0.5], np.float32)


def test_it_follows_the_formula():
    layer = eqx.nn.GatedFeedForward(3, 5, key=key)
    w1, w2, w3 = (np.asarray(part.weight) for part in (layer.gate, layer.output, layer.hidden))
    b1, b2, b3 = (np.asarray(part.bias) for part in (layer.gate, layer.output, layer.hidden))
    gate = w1 @ x + b1
    expected = w2 @ (gate / (1 + np.exp(-gate)) * (w3 @ x + b3)) + b2
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


@pytest.mark.parametrize("activation", [jax.nn.gelu, jax.nn.sigmoid])
def test_the_activation_is_that_of_the_gates(activation):
    layer = eqx.nn.GatedFeedForward(3, 5, activation=activation, use_bias=False, key=key)
    expected = layer.output.weight @ (activation(layer.gate.weight @ x) * (layer.hidden.weight @ x))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


def test_each_linear_layer_has_its_own_part_of_the_key():
    layer = eqx.nn.GatedFeedForward(3, 5, key=key)
    keys = jax.random.split(key, 3)
    assert eqx.tree_equal(layer.gate, eqx.nn.Linear(3, 5, key=keys[0]))
    assert eqx.tree_equal(layer.hidden, eqx.nn.Linear(3, 5, key=keys[1]))
    assert eqx.tree_equal(layer.output, eqx.nn.Linear(5, 3, key=keys[2]))


def test_by_default_it_is_about_as_large_as_one_without_gates():
    def count(layer):
        return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(layer, eqx.is_array)))

    gated = count(eqx.nn.GatedFeedForward(48, use_bias=False, key=key))
    assert gated == count(eqx.nn.FeedForward(48, use_bias=False, key=key))


def test_gated_neurons_drop_out():
    layer = eqx.nn.GatedFeedForward(3, 5, 0.5, jnp.tanh, key=key)
    hidden = eqx.nn.Dropout(0.5)(jnp.tanh(layer.gate(x)) * layer.hidden(x), key=key)
    np.testing.assert_allclose(layer(x, key=key), layer.output(hidden), rtol=1e-5)
    assert jnp.array_equal(layer(x, inference=True), eqx.nn.inference_mode(layer)(x))
