"""The largest number in a window."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("pool")
LAYERS: list[Any] = [eqx.nn.MaxPool1d, eqx.nn.MaxPool2d, eqx.nn.MaxPool3d]


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    layer = LAYERS[len(torch["kernel_size"]) - 1]
    pool = layer(torch["kernel_size"], torch["stride"], torch["padding"], use_ceil=bool(torch["use_ceil"]))
    with jax.enable_x64(torch["x"].dtype == np.float64):
        y = eqx.filter_jit(pool)(jnp.asarray(torch["x"]))
        assert y.dtype == torch["x"].dtype
        np.testing.assert_allclose(y, torch["max"], **tolerance(torch["max"]))


@pytest.mark.parametrize(("axes", "layer"), [*enumerate(LAYERS, start=1)], ids=["1d", "2d", "3d"])
def test_it_is_a_pool_that_moves_by_one_by_default(axes, layer):
    pool = layer(2)
    assert isinstance(pool, eqx.nn.Pool)
    assert (pool.init, pool.operation, pool.num_spatial_dims) == (-np.inf, lax.max, axes)
    assert (pool.kernel_size, pool.stride, pool.padding) == ((2,) * axes, (1,) * axes, ((0, 0),) * axes)
    assert pool.use_ceil is False


def test_of_equal_numbers_the_first_gets_the_gradient():
    pool = eqx.nn.MaxPool1d(2, 2)
    x = jnp.array([[3.0, 3.0, 1.0, 2.0]])
    assert jnp.array_equal(jax.grad(lambda x: pool(x).sum())(x), jnp.array([[1.0, 0.0, 0.0, 1.0]]))
    _, tangent = jax.jvp(pool, (x,), (jnp.array([[5.0, 6.0, 7.0, 8.0]]),))
    assert jnp.array_equal(tangent, jnp.array([[5.0, 8.0]]))


def test_padding_is_less_than_any_number():
    assert jnp.array_equal(eqx.nn.MaxPool1d(2, 1, 1)(jnp.array([[-3.0]])), jnp.array([[-3.0, -3.0]]))
    assert jnp.array_equal(eqx.nn.MaxPool1d(2, 1, 1)(jnp.array([[-3]])), jnp.array([[-3, -3]]))


def test_cropping_with_a_window_of_one_entry():
    # XLA, given a negative padding, would abort.
    assert jnp.array_equal(eqx.nn.MaxPool1d(1, 1, -1)(jnp.arange(5.0)[jnp.newaxis]), jnp.array([[1.0, 2.0, 3.0]]))


@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding"])
def test_a_bad_option_is_an_error_at_construction_that_names_it(name):
    options: dict[str, Any] = {"kernel_size": 1, name: (1, 2, 3)}
    with pytest.raises(ValueError, match=f"`{name}`"):
        eqx.nn.MaxPool2d(**options)
