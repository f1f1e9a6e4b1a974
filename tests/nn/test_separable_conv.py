"""Convolutions that do not mix all channels at all positions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("separable_conv")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    axes, multiplier, dtype, bias = case.split(":")
    with jax.enable_x64(dtype == "float64"):
        conv = eqx.nn.SeparableConv(
            int(axes), 2, 5, 3, int(multiplier), 2, 1, use_bias=bias == "True", dtype=dtype, key=key
        )
        state_dict = {name.replace("_", "."): array for name, array in torch.items() if "wise" in name}
        conv = eqx.nn.load_torch(conv, state_dict)
        y = eqx.filter_jit(conv)(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_each_channel_is_convolved_by_itself():
    conv = eqx.nn.DepthwiseConv(1, 3, 2, multiplier=2, use_bias=False, key=key)
    assert isinstance(conv, eqx.nn.Conv)
    assert (conv.groups, conv.out_channels, conv.weight.shape) == (3, 6, (6, 1, 2))
    x = jax.random.normal(key, (3, 5))
    only_second = conv(x.at[jnp.array([0, 2])].set(0))
    np.testing.assert_allclose(only_second[2:4], conv(x)[2:4], rtol=1e-6)
    assert not jnp.any(only_second[jnp.array([0, 1, 4, 5])])


def test_options_are_those_of_a_convolution():
    options: Any = {"stride": 2, "padding": "same", "dilation": 2, "padding_mode": "circular", "dtype": "float16"}
    depthwise = eqx.nn.DepthwiseConv(2, 3, (2, 3), **options, bias=False, key=key)
    general = eqx.nn.Conv(2, 3, 3, (2, 3), **options, groups=3, bias=False, key=key)
    names = [name for name in vars(general) if name != "weight"]
    assert {name: vars(depthwise)[name] for name in names} == {name: vars(general)[name] for name in names}
    assert jnp.array_equal(depthwise.weight, general.weight)
    separable = eqx.nn.SeparableConv(2, 3, 4, (2, 3), **options, key=jax.random.key(1))
    assert (separable.depthwise.stride, separable.pointwise.stride) == ((2, 2), (1, 1))
    assert separable.pointwise.weight.dtype == np.float16
    x = jnp.ones((3, 6, 6), "float16")
    assert separable(x).shape == (4, 3, 3)


def test_each_step_has_its_half_of_the_key_and_only_the_second_has_a_bias():
    conv = eqx.nn.SeparableConv(1, 2, 3, 4, multiplier=2, key=key)
    depthwise_key, pointwise_key = jax.random.split(key)
    depthwise = eqx.nn.DepthwiseConv(1, 2, 4, 2, use_bias=False, key=depthwise_key)
    assert eqx.tree_equal(conv, eqx.tree_at(lambda c: c.depthwise, conv, depthwise))
    assert eqx.tree_equal(conv.pointwise, eqx.nn.Conv(1, 4, 3, 1, key=pointwise_key))
    assert conv.depthwise.bias is None
    assert eqx.nn.SeparableConv(1, 2, 3, 4, bias=False, key=key).pointwise.bias is None


def test_initialisers_are_for_both_steps():
    init: Any = {"weight_init": jax.nn.initializers.ones, "bias_init": jax.nn.initializers.ones}
    conv = eqx.nn.SeparableConv(1, 2, 3, 1, **init, key=key)
    assert jnp.array_equal(conv(jnp.array([[1.0], [10.0]])), jnp.full((3, 1), 12.0))


def test_there_may_be_no_channels():
    assert eqx.nn.DepthwiseConv(1, 0, 2, key=key)(jnp.ones((0, 3))).shape == (0, 2)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"in_channels": -1}, "in_channels"), ({"multiplier": 1.5}, "multiplier"), ({"kernel_size": 0}, "kernel_size")],
)
def test_a_bad_option_is_an_error_that_names_it(options, name):
    valid = {"num_spatial_dims": 1, "in_channels": 2, "kernel_size": 3}
    for layer in (eqx.nn.DepthwiseConv, lambda **kwargs: eqx.nn.SeparableConv(out_channels=2, **kwargs)):
        with pytest.raises(ValueError, match=f"`{name}`"):
            layer(**{**valid, **options}, key=key)


def test_an_input_with_other_axes_or_channels_is_an_error():
    with pytest.raises(ValueError, match=r"`x` of `SeparableConv` must have shape \(2, any\), found shape \(3, 4\)"):
        eqx.nn.SeparableConv(1, 2, 3, 1, key=key)(jnp.ones((3, 4)))
    with pytest.raises(ValueError, match=r"`x` of `DepthwiseConv`.*jax.vmap"):
        eqx.nn.DepthwiseConv(1, 2, 1, key=key)(jnp.ones((5, 2, 4)))
