"""What a convolution and its transpose have in common, tested for both."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
LAYERS: list[Any] = [eqx.nn.Conv, eqx.nn.ConvTranspose]
both = pytest.mark.parametrize("layer", LAYERS)
WITH_FIXED_AXES = [(layer, axes, getattr(eqx.nn, f"{layer.__name__}{axes}d")) for layer in LAYERS for axes in (1, 2, 3)]


@both
@pytest.mark.parametrize("dtype", [None, "float16", "complex64"])
@pytest.mark.parametrize(("channels", "groups", "size"), [((4, 6), 2, (3, 2)), ((1, 1), 1, (1,)), ((0, 2), 1, (3,))])
def test_the_first_half_of_the_key_makes_the_weight_and_the_second_the_bias(layer, channels, groups, size, dtype):
    inputs, outputs = channels
    made = layer(len(size), inputs, outputs, size, groups=groups, dtype=dtype, key=key)
    fan_in = inputs // groups * math.prod(size)
    limit = 1 / math.sqrt(fan_in) if fan_in else 1.0

    def draw(key, shape):
        if dtype != "complex64":
            return jax.random.uniform(key, shape, dtype or "float32", minval=-limit, maxval=limit)
        real, imaginary = (
            jax.random.uniform(part, shape, "float32", minval=-limit, maxval=limit) for part in jax.random.split(key, 2)
        )
        return real + 1j * imaginary

    weight_key, bias_key = jax.random.split(key, 2)
    assert jnp.array_equal(made.weight, draw(weight_key, (outputs, inputs // groups, *size)))
    assert jnp.array_equal(made.bias, draw(bias_key, (outputs, *[1] * len(size))))
    without = layer(len(size), inputs, outputs, size, groups=groups, bias=False, dtype=dtype, key=key)
    assert jnp.array_equal(without.weight, made.weight)
    assert without.bias is None
    assert len(jax.tree.leaves(without)) == 1


@pytest.mark.parametrize(("layer", "axes", "fixed"), WITH_FIXED_AXES)
def test_the_classes_with_a_number_of_axes_in_their_name_differ_in_nothing_else(layer, axes, fixed):
    options: dict[str, Any] = {
        "stride": 2,
        "padding": "same_lower",
        "dilation": 3,
        "groups": 2,
        "padding_mode": "circular",
    }
    made = fixed(2, 4, 3, use_bias=False, dtype="float16", key=key, **options)
    general = layer(axes, 2, 4, 3, use_bias=False, dtype="float16", key=key, **options)
    assert isinstance(made, layer)
    assert vars(made).keys() == vars(general).keys()
    assert all(np.array_equal(value, vars(general)[name]) for name, value in vars(made).items())
    x = jnp.ones((2, *[5] * axes), "float16")
    assert jnp.array_equal(made(x), general(x))


@pytest.mark.parametrize(("layer", "axes", "fixed"), WITH_FIXED_AXES)
def test_options_may_be_given_by_position(layer, axes, fixed):
    order = ["stride", "output_padding", "padding"] if layer is eqx.nn.ConvTranspose else ["stride", "padding"]
    made = fixed(2, 4, 3, *[4, 2, 1][: len(order)], 5, 2, False, "zeros", "float16", key=key)
    for name, value in zip(order, [4, 2, 1], strict=False):
        expected: Any = (value,) * axes
        assert getattr(made, name) == (tuple((p, p) for p in expected) if name == "padding" else expected)
    assert made.dilation == (5,) * axes
    assert made.groups == 2
    assert made.use_bias is False
    assert made.weight.dtype == np.float16


@both
def test_options_are_static_plain_and_hashable(layer):
    size: list[Any] = [np.int64(3), 2]
    made = layer(
        2,
        np.int32(2),
        np.int64(2),
        size,
        np.array([1, 2]),
        [[0, 1], [2, 3]],
        dilation=[1, 1],
        groups=np.int8(2),
        key=key,
    )
    assert (made.kernel_size, made.stride, made.dilation) == ((3, 2), (1, 2), (1, 1))
    assert made.padding == ((0, 1), (2, 3))
    for value in (*made.kernel_size, *made.stride, made.groups, made.in_channels, made.out_channels):
        assert type(value) is int
    hash(jax.tree.structure(made))


@both
@pytest.mark.parametrize("name", ["valid", "Same", "SAME_LOWER"])
def test_names_are_stored_in_upper_case(layer, name):
    made = layer(1, 1, 1, 3, padding=name, padding_mode="zeros", key=key)
    assert made.padding == name.upper()
    assert made.padding_mode == "ZEROS"


@both
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"num_spatial_dims": -1}, "-1"),
        ({"in_channels": -1}, "-1"),
        ({"out_channels": 1.5}, "1.5"),
        ({"kernel_size": 0}, "0"),
        ({"kernel_size": (1, 2, 3)}, "(1, 2, 3)"),
        ({"stride": 0}, "0"),
        ({"stride": "2"}, "'2'"),
        ({"padding": (1, 2, 3)}, "(1, 2, 3)"),
        ({"padding": ((1, 2), 3)}, "((1, 2), 3)"),
        ({"padding": 0.5}, "0.5"),
        ({"padding": "full"}, "'full'"),
        ({"dilation": (0, 1)}, "(0, 1)"),
        ({"groups": 0}, "0"),
        ({"groups": -2}, "-2"),
        ({"padding_mode": "mirror"}, "'mirror'"),
        ({"padding_mode": None}, "None"),
        ({"dtype": "int32"}, "int32"),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(layer, options, found):
    valid = {"num_spatial_dims": 2, "in_channels": 2, "out_channels": 2, "kernel_size": 3}
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}`") as info:
        layer(**{**valid, **options}, key=key)
    assert found in str(info.value)


@both
@pytest.mark.parametrize(("channels", "name"), [((3, 4), "in_channels"), ((4, 3), "out_channels")])
def test_channels_that_cannot_be_divided_into_the_groups_are_an_error_at_construction(layer, channels, name):
    with pytest.raises(ValueError, match=f"`{name}`.*`groups=2`.*3"):
        layer(1, *channels, 1, groups=2, key=key)


@both
def test_without_input_channels_the_output_is_the_bias(layer):
    made = layer(1, 0, 2, 3, key=key)
    assert jnp.array_equal(made(jnp.ones((0, 3))), jnp.broadcast_to(made.bias, made(jnp.ones((0, 3))).shape))


@both
def test_there_may_be_no_output_channels(layer):
    assert layer(1, 2, 0, 1, key=key)(jnp.ones((2, 3))).shape == (0, 3)


@both
def test_without_spatial_axes_it_is_a_linear_layer(layer):
    made = layer(0, 3, 2, (), key=key)
    x = jnp.arange(3.0)
    np.testing.assert_allclose(made(x), made.weight @ x + made.bias, rtol=1e-6)


@both
def test_there_may_be_four_spatial_axes(layer):
    made = layer(4, 1, 2, 2, key=key)
    made = eqx.tree_at(lambda layer: (layer.weight, layer.bias), made, (jnp.ones((2, 1, 2, 2, 2, 2)), None))
    length = 2 if layer is eqx.nn.Conv else 4
    y = made(jnp.ones((1, 3, 3, 3, 3)))
    assert y.shape == (2, length, length, length, length)
    assert jnp.all(y[:, 1, 1, 1, 1] == 16)


@both
def test_complex_weights_are_not_conjugated(layer):
    made = layer(1, 1, 1, 1, bias=False, dtype="complex64", key=key)
    x = jnp.array([[1 + 2j, 3j]])
    np.testing.assert_allclose(made(x), made.weight[0] * x, rtol=1e-6)


@both
def test_whether_a_bias_is_added_depends_on_the_bias_and_not_on_the_flag(layer):
    made = layer(2, 2, 3, 2, key=key)
    without = eqx.tree_at(lambda layer: layer.bias, made, None)
    x = jax.random.normal(key, (2, 4, 5))
    assert without.use_bias
    np.testing.assert_allclose(without(x) + made.bias, made(x), rtol=1e-5)


@both
@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_an_image_of_integers_is_promoted_like_in_any_product(layer, dtype):
    made = layer(1, 1, 1, 2, dtype="bfloat16", key=key)
    x = jnp.array([[0, 1, 1, 0]], dtype)
    y = made(x)
    assert y.dtype == jnp.bfloat16
    assert jnp.array_equal(y, made(x.astype("bfloat16")))


class Quantised(eqx.Module):
    """Something that behaves like an array by converting itself."""

    codes: jax.Array

    def __jax_array__(self):
        return self.codes.astype("float32") / 8


@both
def test_the_weight_may_be_replaced_by_anything_that_converts_itself_to_an_array(layer):
    made = layer(1, 1, 1, 1, bias=False, key=key)
    quantised = eqx.tree_at(lambda layer: layer.weight, made, Quantised(jnp.array([[[4]]])))
    assert jnp.array_equal(quantised(jnp.ones((1, 2))), jnp.full((1, 2), 0.5))


@both
@pytest.mark.parametrize("shape", [(2,), (2, 5), (2, 5, 5, 5), (3, 5, 5)])
def test_an_input_with_other_axes_or_channels_is_an_error(layer, shape):
    with pytest.raises(ValueError, match=rf"`x` of `{layer.__name__}` must have shape \(2, any, any\)") as info:
        layer(2, 2, 3, 1, key=key)(jnp.ones(shape))
    assert str(shape) in str(info.value)
    assert ("jax.vmap" in str(info.value)) == (len(shape) > 3)
