"""The same numbers in another shape."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

X = jnp.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("options", "shape"), [((), (24,)), ((1,), (2, 12)), ((0, 1), (6, 4)), ((-3, -2), (6, 4)), ((1, 1), (2, 3, 4))]
)
def test_axes_become_one(options, shape):
    y = eqx.nn.Flatten(*options)(X)
    assert jnp.array_equal(y, X.reshape(shape))


def test_a_scalar_gets_an_axis():
    assert eqx.nn.Flatten()(jnp.array(3)).shape == (1,)


def test_there_may_be_no_entries():
    assert eqx.nn.Flatten(1)(jnp.ones((0, 2, 3))).shape == (0, 6)


@pytest.mark.parametrize("options", [(2, 1), (0, 3), (-4, -1)])
def test_axes_that_are_not_there_are_an_error(options):
    with pytest.raises(ValueError, match="`x` of `Flatten`") as info:
        eqx.nn.Flatten(*options)(X)
    assert f"from {options[0]} to {options[1]}" in str(info.value)
    assert "(2, 3, 4)" in str(info.value)


@pytest.mark.parametrize("shape", [(4, 6), (-1, 4), (24,), 24, (2, 2, -1, 2)])
def test_the_shape_is_as_asked(shape):
    assert jnp.array_equal(eqx.nn.Reshape(shape)(X), X.reshape(shape))


def test_options_are_static_and_plain():
    assert eqx.nn.Reshape([np.int64(2), -1]).shape == (2, -1)
    layers: Any = (eqx.nn.Reshape(2), eqx.nn.Flatten(np.int8(1)))
    assert jax.tree.leaves(layers) == []
    assert type(layers[1].start_axis) is int


@pytest.mark.parametrize("shape", [(2, -2), (-1, -1), 1.5, ("a",)])
def test_a_bad_shape_is_an_error(shape):
    with pytest.raises(ValueError, match="`shape`"):
        eqx.nn.Reshape(shape)


def test_a_bad_axis_is_an_error():
    axis: Any = 0.5
    with pytest.raises(ValueError, match=r"`end_axis` must be an integer, found .*0\.5"):
        eqx.nn.Flatten(0, axis)


@pytest.mark.parametrize("shape", [(5,), (5, -1), (0, -1)])
def test_another_number_of_entries_is_an_error(shape):
    with pytest.raises(ValueError, match=r"`x` of `Reshape`.*\(2, 3, 4\).*jax.vmap") as info:
        eqx.nn.Reshape(shape)(X)
    assert str(shape) in str(info.value)
