import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from equinox.internal import nextafter, prevbefore

DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_have_the_neighbours_that_numpy_finds(dtype):
    x = np.array([1, -1, 1000, -0.125], dtype)
    for function, direction in [(nextafter, np.inf), (prevbefore, -np.inf)]:
        found = jax.jit(function)(x)
        assert found.dtype == dtype
        assert np.array_equal(np.asarray(found), np.nextafter(x, np.array(direction, dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_neighbours_of_either_zero_are_the_smallest_normal_numbers(dtype):
    smallest = ml_dtypes.finfo(dtype).smallest_normal
    zeros = np.array([0.0, -0.0], dtype)
    assert (np.asarray(nextafter(zeros)) == smallest).all()
    assert (np.asarray(prevbefore(zeros)) == -smallest).all()


@pytest.mark.parametrize("function", [nextafter, prevbefore])
def test_the_derivative_is_one(function):
    for x in (0.0, 1.0):
        assert jax.grad(function)(x) == 1
        assert jax.jit(jax.jacfwd(function))(x) == 1
    assert jax.grad(jax.grad(lambda x: function(x) ** 2))(3.0) == 2


def test_it_takes_python_numbers_and_batches():
    assert nextafter(1.0) > 1
    assert prevbefore(1.0) < 1
    assert jnp.array_equal(jax.vmap(nextafter)(jnp.arange(3.0)), nextafter(jnp.arange(3.0)))


@pytest.mark.parametrize("x", [1, jnp.arange(3), True, 1j])
def test_other_dtypes_have_no_neighbours(x):
    with pytest.raises(ValueError, match="floating-point"):
        nextafter(x)
    with pytest.raises(ValueError, match="floating-point"):
        prevbefore(x)
