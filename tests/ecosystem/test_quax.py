"""Quax: array-like Modules that go through ordinary functions of JAX, and through layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import equinox as eqx

quax = pytest.importorskip("quax")
ArrayValue: Any = quax.ArrayValue
lora = pytest.importorskip("quax.examples.lora")


class Dual(ArrayValue):
    """A value, and its derivative with respect to something."""

    value: Array
    slope: Array

    def aval(self):
        return jax.core.ShapedArray(self.value.shape, self.value.dtype)

    def materialise(self):
        raise RuntimeError("A dual number is no array.")


@quax.register(jax.lax.mul_p)
def _(x: Dual, y: Dual, **params):
    return Dual(x.value * y.value, x.value * y.slope + x.slope * y.value)


@quax.register(jax.lax.add_p)
def _(x: Dual, y: Dual, **params):
    return Dual(x.value + y.value, x.slope + y.slope)


@quax.register(jax.lax.sin_p)
def _(x: Dual, **params):
    return Dual(jnp.sin(x.value), jnp.cos(x.value) * x.slope)


def test_a_function_is_given_a_meaning_for_values_of_another_kind() -> None:
    def function(x):
        return jnp.sin(x * x) + x

    x = jnp.array([0.3, 1.2])
    result = eqx.filter_jit(quax.quaxify(function))(Dual(x, jnp.ones(2)))
    assert isinstance(result, Dual)
    np.testing.assert_allclose(result.value, np.sin(x**2) + x, rtol=1e-12)
    np.testing.assert_allclose(result.slope, np.cos(x**2) * 2 * x + 1, rtol=1e-12)


def test_a_network_with_weights_of_low_rank_is_called_and_differentiated_unchanged() -> None:
    network = eqx.nn.MLP(3, 2, 5, 2, activation=jnp.tanh, key=jax.random.key(0))
    adapted = lora.loraify(network, rank=2, key=jax.random.key(1))
    x = jnp.array([0.5, -1.0, 2.0])

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(network, x):
        return jnp.sum(quax.quaxify(network)(x) ** 2)

    value, gradient = loss(adapted, x)
    np.testing.assert_allclose(value, jnp.sum(network(x) ** 2), rtol=1e-10)
    (weight,) = (layer.weight for layer in gradient.layers[-1:])
    assert isinstance(weight, lora.LoraArray)
    # At first one factor is zero: the product is zero, and so is the gradient with respect to the other one.
    full = eqx.filter_grad(lambda network: jnp.sum(network(x) ** 2))(network).layers[-1].weight
    factors = adapted.layers[-1].weight
    np.testing.assert_allclose(weight.a, full @ factors.b.T, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(weight.b, factors.a.T @ full, rtol=1e-8, atol=1e-12)
    assert jnp.all(weight._w == 0)
