"""One number for each channel."""

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx

X = jnp.array([[[1.0, 5.0], [2.0, 0.0]], [[-1.0, -1.0], [-3.0, -3.0]]])
LAYERS = [eqx.nn.GlobalAvgPool, eqx.nn.GlobalMaxPool]


def test_the_mean_is_over_all_spatial_axes():
    assert jnp.array_equal(eqx.nn.GlobalAvgPool()(X), jnp.array([2.0, -2.0]))
    assert jnp.array_equal(eqx.nn.GlobalAvgPool()(X.astype("int32")), jnp.array([2.0, -2.0]))


def test_the_maximum_is_over_all_spatial_axes_and_keeps_the_dtype():
    y = eqx.nn.GlobalMaxPool()(X.astype("int8"))
    assert y.dtype == "int8"
    assert jnp.array_equal(y, jnp.array([5, -1]))


def test_equal_numbers_share_the_gradient():
    gradient = jax.grad(lambda x: eqx.nn.GlobalMaxPool()(x).sum())(X)
    assert jnp.array_equal(gradient[1], jnp.array([[0.5, 0.5], [0.0, 0.0]]))


@pytest.mark.parametrize("layer", LAYERS)
def test_spatial_axes_may_remain(layer):
    assert layer(keepdims=True)(X).shape == (2, 1, 1)
    assert jnp.array_equal(layer(keepdims=True)(X).ravel(), layer()(X))


@pytest.mark.parametrize("layer", LAYERS)
def test_without_spatial_axes_nothing_changes(layer):
    assert jnp.array_equal(layer()(jnp.arange(3.0)), jnp.arange(3.0))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("shape", [(), (2, 0)])
def test_without_entries_it_is_an_error(layer, shape):
    with pytest.raises(ValueError, match=f"`x` of `{layer.__name__}`") as info:
        layer()(jnp.ones(shape))
    assert str(shape) in str(info.value)
