"""Sizes and shapes."""

from typing import Any, cast

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import SequenceKey

from equinox.nn._shapes import as_size, as_size_or_scalar, checked, shape_of


@pytest.mark.parametrize("value", [0, 3, np.int64(3), np.uint8(3), np.array(3), jnp.array(3), True])
def test_every_kind_of_integer_becomes_a_plain_one(value):
    for size in as_size("in_features", value), as_size_or_scalar("in_features", value):
        assert size == value
        assert type(size) is int


@pytest.mark.parametrize("value", [-1, np.int32(-2), 2.0, None, np.float32(2), (2,)])
@pytest.mark.parametrize("size", [as_size, as_size_or_scalar])
def test_anything_else_is_an_error_that_names_the_argument_and_the_value(size, value):
    with pytest.raises(ValueError, match="`in_features` must be a non-negative integer") as info:
        size("in_features", value)
    assert repr(value) in str(info.value)


def test_scalar_stands_for_no_axes():
    assert as_size_or_scalar("in_features", "scalar") == "scalar"
    assert shape_of("scalar") == ()
    assert shape_of(3) == (3,)


def test_another_string_is_an_error_that_says_which_one_there_is():
    with pytest.raises(ValueError, match=r"`in_features`.*\"scalar\".*'scaler'"):
        as_size_or_scalar("in_features", cast(Any, "scaler"))
    with pytest.raises(ValueError, match="`width_size`"):
        as_size("width_size", cast(Any, "scalar"))


class Layer:
    pass


def test_an_input_of_the_right_shape_is_returned_as_a_jax_array():
    x = jnp.ones((2, 3))
    assert checked(Layer(), "x", x, (2, 3)) is x
    assert jnp.array_equal(checked(Layer(), "x", np.ones(3), (3,)), jnp.ones(3))
    assert checked(Layer(), "x", 1.0, ()).weak_type


def test_an_input_of_another_shape_is_an_error_that_says_what_was_expected():
    with pytest.raises(ValueError, match=r"argument `x` of `Layer` must have shape \(3,\), found shape \(4,\)") as info:
        checked(Layer(), "x", jnp.ones(4), (3,))
    assert "vmap" not in str(info.value)


def test_for_a_batch_the_error_suggests_vmap():
    with pytest.raises(ValueError, match=r"shape \(3,\), found shape \(10, 3\).*`jax.vmap\(layer\)`"):
        checked(Layer(), "x", jnp.ones((10, 3)), (3,))


def test_the_error_says_where_in_the_argument_the_array_is():
    with pytest.raises(ValueError, match=r"argument `hidden`, leaf `\[1\]`"):
        checked(Layer(), "hidden", jnp.ones(4), (3,), (SequenceKey(1),))
