"""The initial values of parameters."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox.nn._initialise import default_dtype, uniform

key = jax.random.key(5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", jnp.bfloat16, np.float32, np.dtype("float32")])
@pytest.mark.parametrize("fan_in", [1, 3, 100])
def test_real_parameters_are_one_draw_whose_limit_depends_on_the_fan_in(dtype, fan_in):
    limit = 1 / math.sqrt(fan_in)
    drawn = uniform(key, (20, 7), fan_in, dtype)
    assert drawn.dtype == dtype
    assert jnp.array_equal(drawn, jax.random.uniform(key, (20, 7), dtype, minval=-limit, maxval=limit))
    assert 0.8 * limit < abs(drawn).max() <= limit


def test_without_inputs_the_limit_is_one():
    assert jnp.array_equal(uniform(key, (9,), 0, None), uniform(key, (9,), 1, None))


@pytest.mark.parametrize(("dtype", "part"), [("complex64", "float32"), ("complex128", "float64")])
def test_of_complex_parameters_both_parts_are_drawn_from_their_own_key(dtype, part):
    with jax.enable_x64(True):
        drawn = uniform(key, (4, 2), 4, dtype)
        real_key, imaginary_key = jax.random.split(key, 2)
        assert drawn.dtype == dtype
        assert jnp.array_equal(drawn.real, jax.random.uniform(real_key, (4, 2), part, minval=-0.5, maxval=0.5))
        assert jnp.array_equal(drawn.imag, jax.random.uniform(imaginary_key, (4, 2), part, minval=-0.5, maxval=0.5))


def test_the_default_dtype_is_double_precision_only_while_that_is_enabled():
    assert default_dtype() == np.float32
    assert uniform(key, (), 1, None).dtype == np.float32
    with jax.enable_x64(True):
        assert default_dtype() == np.float64
        assert uniform(key, (), 1, None).dtype == np.float64
    assert default_dtype() == np.float32


@pytest.mark.parametrize("dtype", [int, "uint8", jnp.bool_])
def test_a_dtype_without_fractions_is_an_error(dtype):
    with pytest.raises(ValueError, match=f"argument `dtype`.*found {jnp.dtype(dtype)}"):
        uniform(key, (2,), 1, dtype)
