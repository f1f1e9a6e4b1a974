"""Transposes of convolutions."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("conv_transpose")


def from_torch(weight: Any, groups: int) -> Any:
    """Exchange the axes of the channels of each group, and flip the kernel, which PyTorch stores for the `Conv`."""
    inputs, outputs_in_group, *size = weight.shape
    weight = weight.reshape(groups, inputs // groups, outputs_in_group, *size).swapaxes(1, 2)
    weight = weight.reshape(groups * outputs_in_group, inputs // groups, *size)
    return np.flip(weight, tuple(range(2, weight.ndim)))


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    x = torch["x"]
    groups = int(torch["groups"])
    weight = from_torch(torch["weight"], groups)
    axes = weight.ndim - 2
    options: dict[str, Any] = {name: torch[name] for name in ("stride", "padding", "output_padding", "dilation")}
    with jax.enable_x64(x.dtype == np.float64):
        layer = eqx.nn.ConvTranspose(
            axes, x.shape[0], weight.shape[0], weight.shape[2:], groups=groups, dtype=x.dtype, key=key, **options
        )
        bias = torch["bias"].reshape(-1, *[1] * axes) if "bias" in torch else None
        layer = eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, (weight, bias))
        y = eqx.filter_jit(layer)(jnp.asarray(x))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def assert_transposed(conv: eqx.nn.Conv, transposed: eqx.nn.ConvTranspose, lengths: tuple[int, ...]) -> None:
    """Assert that two layers without bias are each other's transposes, given that they have the same kernel."""
    flipped = np.flip(conv.weight, tuple(range(2, conv.weight.ndim))).swapaxes(0, 1)
    transposed = eqx.tree_at(lambda layer: layer.weight, transposed, flipped)
    x = jax.ShapeDtypeStruct((conv.in_channels, *lengths), np.float32)
    y = jax.eval_shape(conv, x)
    # Two linear maps that agree on a random vector are the same.
    cotangent = np.random.default_rng(0).normal(size=y.shape).astype("float32")
    (expected,) = jax.linear_transpose(conv, x)(cotangent)
    np.testing.assert_allclose(eqx.filter_jit(transposed)(cotangent), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    length=st.integers(1, 9),
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pads=st.tuples(st.integers(-1, 3), st.integers(-1, 3)),
)
def test_it_is_the_transpose_of_a_convolution_with_amounts_of_padding(length, size, stride, dilation, pads):
    rest = length + sum(pads) - dilation * (size - 1) - 1
    assume(rest >= 0)
    conv = eqx.nn.Conv1d(1, 2, size, stride, [pads], dilation, bias=False, key=key)
    transposed = eqx.nn.ConvTranspose1d(2, 1, size, stride, rest % stride, [pads], dilation, bias=False, key=key)
    assert_transposed(conv, transposed, (length,))


@settings(max_examples=20, deadline=None)
@given(
    length=st.integers(1, 9),
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["same", "same_lower"]),
    mode=st.sampled_from(["zeros", "circular"]),
)
def test_it_is_the_transpose_of_a_convolution_with_same_padding(length, size, stride, dilation, padding, mode):
    if mode == "circular":
        length *= stride
    more = -length % stride
    conv = eqx.nn.Conv1d(1, 2, size, stride, padding, dilation, bias=False, padding_mode=mode, key=key)
    transposed = eqx.nn.ConvTranspose1d(
        2, 1, size, stride, more, padding, dilation, bias=False, padding_mode=mode, key=key
    )
    assert_transposed(conv, transposed, (length,))


@pytest.mark.parametrize(("padding", "mode"), [("valid", "zeros"), ("same", "zeros"), ("same_lower", "circular")])
def test_it_is_the_transpose_of_a_convolution_over_several_axes(padding, mode):
    conv = eqx.nn.Conv2d(2, 3, (3, 2), (2, 1), padding, bias=False, padding_mode=mode, key=key)
    more = (1, 0) if padding == "valid" else 0
    transposed = eqx.nn.ConvTranspose2d(3, 2, (3, 2), (2, 1), more, padding, bias=False, padding_mode=mode, key=key)
    assert_transposed(conv, transposed, (4, 4))


@pytest.mark.parametrize(("size", "stride", "more"), [*itertools.product([1, 2, 5], [1, 3], [0, 2])])
def test_the_length_of_the_output(size, stride, more):
    if more >= stride:
        more = 0
    x = jnp.ones((1, 4))
    made = eqx.nn.ConvTranspose1d(1, 1, size, stride, more, [(1, 0)], 2, key=key)
    assert made(x).shape == (1, 3 * stride + 2 * (size - 1) + 1 - 1 + more)
    for padding in ["same", "same_lower"]:
        made = eqx.nn.ConvTranspose1d(1, 1, size, stride, more, padding, 2, key=key)
        assert made(x).shape == (1, 4 * stride - more)


def test_output_padding_comes_after_padding_in_the_general_class_and_before_it_in_the_others():
    general = eqx.nn.ConvTranspose(1, 1, 1, 3, 3, 1, 2, key=key)
    fixed = eqx.nn.ConvTranspose1d(1, 1, 3, 3, 2, 1, key=key)
    for made in general, fixed:
        assert made.padding == ((1, 1),)
        assert made.output_padding == (2,)


@pytest.mark.parametrize(("stride", "more"), [(1, 1), (2, 2), ((2, 1), (1, 1)), (2, 5)])
def test_output_padding_must_be_less_than_the_stride(stride, more):
    with pytest.raises(ValueError, match=r"`output_padding`.*less than the stride"):
        eqx.nn.ConvTranspose2d(1, 1, 3, stride, more, key=key)


def test_output_padding_must_not_be_negative():
    with pytest.raises(ValueError, match=r"`output_padding`.*-1"):
        eqx.nn.ConvTranspose1d(1, 1, 3, 2, -1, key=key)


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_other_modes_of_padding_are_not_implemented(mode):
    with pytest.raises(NotImplementedError, match=f"`padding_mode`.*'{mode}'"):
        eqx.nn.ConvTranspose1d(1, 1, 3, padding="same", padding_mode=mode, key=key)


@pytest.mark.parametrize(
    "options", [{}, {"padding": 1}, {"padding": "valid"}, {"padding": "same", "stride": 2, "output_padding": 1}]
)
def test_circular_padding_is_implemented_for_outputs_whose_length_is_a_multiple_of_the_stride(options):
    with pytest.raises(NotImplementedError, match=r"`padding_mode`.*CIRCULAR.*`padding=.*`output_padding="):
        eqx.nn.ConvTranspose1d(1, 1, 3, padding_mode="circular", key=key, **options)


def test_each_group_of_channels_has_its_own_convolution():
    layer = eqx.nn.ConvTranspose1d(4, 6, 3, 2, groups=2, bias=False, key=key)
    x = jax.random.normal(key, (4, 7))
    half = eqx.nn.ConvTranspose1d(2, 3, 3, 2, bias=False, key=key)
    for i in range(2):
        group = eqx.tree_at(lambda layer: layer.weight, half, layer.weight[3 * i : 3 * i + 3])
        np.testing.assert_allclose(layer(x)[3 * i : 3 * i + 3], group(x[2 * i : 2 * i + 2]), rtol=1e-5, atol=1e-6)
