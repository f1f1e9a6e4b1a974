"""Channels that become pixels, and pixels that become channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases

RECORDED = cases("pixel_shuffle")
LAYERS = [eqx.nn.PixelShuffle, eqx.nn.PixelUnshuffle]


@pytest.mark.parametrize("case", RECORDED)
def test_they_compute_what_pytorch_does(case):
    torch = RECORDED[case]
    factor = int(case.split("-")[0])
    x, y = torch["x"].astype("float32"), torch["y"].astype("float32")
    assert np.array_equal(eqx.nn.PixelShuffle(factor)(x), y)
    assert np.array_equal(eqx.nn.PixelUnshuffle(factor)(y), torch["back"].astype("float32"))


@pytest.mark.parametrize("axes", [0, 1, 3])
def test_each_is_the_inverse_of_the_other_for_any_number_of_spatial_axes(axes):
    lengths = (2, 3, 1)[:axes]
    x = jnp.arange(3 * 2**axes * np.prod(lengths, dtype=int)).reshape(3 * 2**axes, *lengths)
    y = eqx.nn.PixelShuffle(2)(x)
    assert y.shape == (3, *(2 * length for length in lengths))
    assert jnp.array_equal(eqx.nn.PixelUnshuffle(2)(y), x)


def test_along_one_axis_the_channels_of_a_group_take_turns():
    x = jnp.array([[0, 10], [1, 11], [2, 12], [3, 13]])
    assert jnp.array_equal(eqx.nn.PixelShuffle(2)(x), jnp.array([[0, 1, 10, 11], [2, 3, 12, 13]]))


def test_there_may_be_no_channels_or_pixels():
    assert eqx.nn.PixelShuffle(2)(jnp.ones((0, 3))).shape == (0, 6)
    assert eqx.nn.PixelUnshuffle(2)(jnp.ones((1, 0))).shape == (2, 0)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_factor_is_static_and_plain(layer):
    made = layer(np.int64(2))
    assert type(made.factor) is int
    assert jax.tree.leaves(made) == []


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("factor", [0, -1, 1.5])
def test_a_bad_factor_is_an_error(layer, factor):
    with pytest.raises(ValueError, match="`factor`") as info:
        layer(factor)
    assert str(factor) in str(info.value)


@pytest.mark.parametrize(
    ("layer", "shape"), [(LAYERS[0], ()), (LAYERS[0], (6, 2, 2)), (LAYERS[1], ()), (LAYERS[1], (1, 4, 3))]
)
def test_a_shape_that_does_not_fit_is_an_error(layer, shape):
    with pytest.raises(ValueError, match=f"`x` of `{layer.__name__}`.*`factor=2`") as info:
        layer(2)(jnp.ones(shape))
    assert str(shape) in str(info.value)
