"""Angles that grow with the position."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox.nn._angles import angles, as_positions

frequencies = np.array([1.0, 0.3, 1e-4, 7.5])


def error(positions, dtype):
    found = np.asarray(angles(as_positions("x", jnp.asarray(positions, dtype)), frequencies), "float64")
    expected = np.asarray(positions, "float64")[:, None] * frequencies
    return np.abs(np.exp(1j * found) - np.exp(1j * expected)).max()


@pytest.mark.parametrize("dtype", ["int32", "int8", "uint8", "uint32"])
def test_small_integers_of_any_dtype_are_positions(dtype):
    assert error([0, 1, 100], dtype) < 1e-6


def test_angles_of_large_integers_are_accurate_up_to_whole_turns():
    assert error([-(2**30), -5, 2**30, 2**31 - 1], "int32") < 5e-5


def test_real_numbers_are_positions_with_the_precision_of_the_default_dtype():
    assert error([0.5, -3.25, 100.75], "float32") < 1e-4
    with jax.enable_x64(True):
        assert error([0.5, -3.25, 1000.75], "float64") < 1e-11
        assert error([2**40], "int64") > 1e-3  # the integers are of 32 bits


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_what_is_no_real_number_is_an_error(dtype):
    with pytest.raises(TypeError, match=rf"`x` must be integers or real numbers, found .*{dtype}"):
        as_positions("x", jnp.zeros(3, dtype))
