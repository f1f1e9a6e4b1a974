"""Convolutions."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("conv")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    _, mode, _ = case.split("-")
    padding: Any = torch.get("padding", "same")
    x, weight = torch["x"], torch["weight"]
    axes, groups = weight.ndim - 2, int(torch["groups"])
    with jax.enable_x64(x.dtype == np.float64):
        conv = eqx.nn.Conv(
            axes,
            x.shape[0],
            weight.shape[0],
            weight.shape[2:],
            torch["stride"],
            padding,
            torch["dilation"],
            groups,
            padding_mode=mode,
            dtype=x.dtype,
            key=key,
        )
        bias = torch["bias"].reshape(-1, *[1] * axes) if "bias" in torch else None
        conv = eqx.tree_at(lambda conv: (conv.weight, conv.bias), conv, (weight, bias))
        y = eqx.filter_jit(conv)(jnp.asarray(x))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def by_definition(conv: eqx.nn.Conv, x: Any, before: int, after: int) -> Any:
    """The result for one spatial axis and one channel, written as a sum."""
    mode: Any = {"ZEROS": "constant", "REFLECT": "reflect", "REPLICATE": "edge", "CIRCULAR": "wrap"}[conv.padding_mode]
    (size,), (stride,), (dilation,) = conv.kernel_size, conv.stride, conv.dilation
    x = np.pad(x[0], (before, after), mode=mode)
    starts = range(0, len(x) - dilation * (size - 1), stride)
    return [[sum(conv.weight[0, 0, j] * x[start + dilation * j] for j in range(size)) for start in starts]]


def same_pads(lower: bool, length: int, size: int, stride: int, dilation: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + dilation * (size - 1) + 1 - length, 0)
    less, more = total // 2, (total + 1) // 2
    return (more, less) if lower else (less, more)


@settings(max_examples=20, deadline=None)
@given(
    length=st.integers(1, 9),
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["same", "same_lower"]),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
)
def test_same_padding_divides_the_length_by_the_stride(length, size, stride, dilation, padding, mode):
    conv = eqx.nn.Conv1d(1, 1, size, stride, padding, dilation, bias=False, padding_mode=mode, key=key)
    x = np.random.default_rng(0).normal(size=(1, length)).astype("float32")
    y = eqx.filter_jit(conv)(jnp.asarray(x))
    assert y.shape == (1, -(-length // stride))
    pads = same_pads(padding == "same_lower", length, size, stride, dilation)
    np.testing.assert_allclose(y, by_definition(conv, x, *pads), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(("before", "after"), [(0, 2), (7, 1), (2, 9)])
def test_padding_may_differ_on_the_two_sides_and_be_wider_than_the_input(mode, before, after):
    conv = eqx.nn.Conv1d(1, 1, 3, 2, [(before, after)], bias=False, padding_mode=mode, key=key)
    x = np.arange(1.0, 5.0, dtype="float32")[np.newaxis]
    np.testing.assert_allclose(conv(jnp.asarray(x)), by_definition(conv, x, before, after), rtol=1e-5)


def test_negative_padding_leaves_entries_out():
    conv = eqx.nn.Conv1d(1, 1, 2, padding=[(-1, -2)], key=key)
    x = jax.random.normal(key, (1, 8))
    unpadded = eqx.nn.Conv1d(1, 1, 2, key=key)
    assert jnp.array_equal(conv(x), unpadded(x[:, 1:-2]))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_negative_padding_is_an_error_where_something_else_than_zeros_is_added(mode):
    with pytest.raises(ValueError, match=rf"`padding`.*{mode.upper()}.*-1"):
        eqx.nn.Conv1d(1, 1, 2, padding=[(-1, 2)], padding_mode=mode, key=key)


def test_the_kernel_is_not_flipped():
    conv = eqx.nn.Conv1d(1, 1, 2, bias=False, key=key)
    conv = eqx.tree_at(lambda conv: conv.weight, conv, jnp.array([[[1.0, 10.0]]]))
    assert jnp.array_equal(conv(jnp.array([[1.0, 2.0, 3.0]])), jnp.array([[21.0, 32.0]]))


def test_each_group_of_channels_has_its_own_convolution():
    conv = eqx.nn.Conv1d(4, 6, 3, groups=2, bias=False, key=key)
    x = jax.random.normal(key, (4, 7))
    half = eqx.nn.Conv1d(2, 3, 3, bias=False, key=key)
    for i in range(2):
        group = eqx.tree_at(lambda conv: conv.weight, half, conv.weight[3 * i : 3 * i + 3])
        np.testing.assert_allclose(conv(x)[3 * i : 3 * i + 3], group(x[2 * i : 2 * i + 2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("length", "stride"), [*itertools.product([0, 1, 3], [1, 2])])
def test_an_axis_that_is_too_short_becomes_empty(length, stride):
    conv = eqx.nn.Conv1d(2, 3, 4, stride, key=key)
    assert conv(jnp.ones((2, length))).shape == (3, 0)
