"""The mean of the numbers in a window."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("pool")
LAYERS: list[Any] = [eqx.nn.AvgPool1d, eqx.nn.AvgPool2d, eqx.nn.AvgPool3d]


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    layer = LAYERS[len(torch["kernel_size"]) - 1]
    options = (torch["kernel_size"], torch["stride"], torch["padding"], bool(torch["use_ceil"]))
    with jax.enable_x64(torch["x"].dtype == np.float64):
        y = eqx.filter_jit(layer(*options, count_include_pad=False))(jnp.asarray(torch["x"]))
        assert y.dtype == torch["x"].dtype
        np.testing.assert_allclose(y, torch["mean_without_padding"], **tolerance(y))
        if "mean" in torch:
            np.testing.assert_allclose(
                eqx.filter_jit(layer(*options))(jnp.asarray(torch["x"])), torch["mean"], **tolerance(y)
            )


@pytest.mark.parametrize(("axes", "layer"), [*enumerate(LAYERS, start=1)], ids=["1d", "2d", "3d"])
def test_it_is_a_pool_that_moves_by_one_by_default(axes, layer):
    pool = layer(2)
    assert isinstance(pool, eqx.nn.Pool)
    assert (pool.init, pool.operation, pool.num_spatial_dims) == (0, lax.add, axes)
    assert (pool.kernel_size, pool.stride, pool.padding) == ((2,) * axes, (1,) * axes, ((0, 0),) * axes)
    assert (pool.use_ceil, pool.count_include_pad) == (False, True)


def test_padding_and_what_is_beyond_it_count_as_zeros():
    pool = eqx.nn.AvgPool1d(4, 3, 1, use_ceil=True)
    assert jnp.array_equal(pool(jnp.ones((1, 6))), jnp.array([[0.75, 1.0, 0.25]]))
    pool = eqx.nn.AvgPool1d(4, 3, ((1, 0),), use_ceil=True)
    assert jnp.array_equal(pool(jnp.ones((1, 7))), jnp.array([[0.75, 1.0, 0.5]]))


def test_padding_may_be_left_out_and_a_window_of_nothing_else_is_zero():
    pool = eqx.nn.AvgPool1d(2, 1, ((2, 1),), count_include_pad=False)
    assert jnp.array_equal(pool(jnp.array([[2.0, 4.0]])), jnp.array([[0.0, 2.0, 3.0, 4.0]]))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_the_mean_of_integers_is_a_fraction(dtype):
    x = jnp.array([[1, 0, 1, 1]], dtype)
    y = eqx.nn.AvgPool1d(2)(x)
    assert y.dtype == jnp.float32
    assert jnp.array_equal(y, jnp.array([[0.5, 0.5, 1.0]]))
    with jax.enable_x64(True):
        assert eqx.nn.AvgPool1d(2)(x).dtype == jnp.float64


def test_the_sum_of_small_integers_does_not_overflow():
    assert jnp.array_equal(eqx.nn.AvgPool1d(3)(jnp.full((1, 3), 200, "uint8")), jnp.array([[200.0]]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "complex64"])
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_other_dtypes_are_kept_and_the_sum_has_enough_digits(dtype, count_include_pad):
    pool = eqx.nn.AvgPool2d(32, count_include_pad=count_include_pad)
    x = jnp.full((1, 32, 32), 100, dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        y = pool(x)
    assert y.dtype == dtype
    assert y == 100


def test_the_mean_of_complex_numbers():
    y = eqx.nn.AvgPool1d(2)(jnp.array([[1j, 1.0]]))
    assert jnp.array_equal(y, jnp.array([[0.5 + 0.5j]]))


def test_the_gradient_is_spread_evenly():
    gradient = jax.grad(lambda x: eqx.nn.AvgPool1d(2, 2)(x).sum())(jnp.arange(5.0)[jnp.newaxis])
    assert jnp.array_equal(gradient, jnp.array([[0.5, 0.5, 0.5, 0.5, 0.0]]))
