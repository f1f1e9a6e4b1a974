"""Pooling to a given shape."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("adaptive_pool")
AVG: list[Any] = [eqx.nn.AdaptiveAvgPool1d, eqx.nn.AdaptiveAvgPool2d, eqx.nn.AdaptiveAvgPool3d]
MAX: list[Any] = [eqx.nn.AdaptiveMaxPool1d, eqx.nn.AdaptiveMaxPool2d, eqx.nn.AdaptiveMaxPool3d]


@pytest.mark.parametrize("case", RECORDED)
def test_with_overlap_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    target, lengths = torch["target_shape"], torch["x"].shape[1:]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        x = jnp.asarray(torch["x"])
        for name, layer in ("mean", AVG[len(target) - 1]), ("max", MAX[len(target) - 1]):
            y = eqx.filter_jit(layer(target, overlap=True))(x)
            assert y.dtype == torch["x"].dtype
            np.testing.assert_allclose(y, torch[name], **tolerance(y))
            if not any(length % windows for length, windows in zip(lengths, target, strict=True)):
                np.testing.assert_allclose(eqx.filter_jit(layer(target))(x), torch[name], **tolerance(y))


@pytest.mark.parametrize(
    ("length", "target"),
    [(length, target) for length, target in itertools.product([1, 2, 5, 7], range(1, 8)) if target <= length],
)
@pytest.mark.parametrize(("layer", "operation"), [(AVG[0], np.mean), (MAX[0], np.max)])
def test_without_overlap_the_first_windows_are_the_longer_ones(layer, operation, length, target):
    x = jax.random.normal(jax.random.key(0), (2, length))
    y = eqx.filter_jit(layer(target))(x)
    sizes = [length // target + (i < length % target) for i in range(target)]
    stops = np.cumsum(sizes)
    assert stops[-1] == length
    expected = [
        operation(np.asarray(x)[:, stop - size : stop], axis=1) for size, stop in zip(sizes, stops, strict=True)
    ]
    np.testing.assert_allclose(y, np.stack(expected, axis=1), rtol=1e-6)


def test_the_two_kinds_of_windows():
    x = jnp.arange(5.0)[jnp.newaxis]
    assert jnp.array_equal(eqx.nn.AdaptiveAvgPool1d(3)(x), jnp.array([[0.5, 2.5, 4.0]]))
    assert jnp.array_equal(eqx.nn.AdaptiveAvgPool1d(3, overlap=True)(x), jnp.array([[0.5, 2.0, 3.5]]))


@pytest.mark.parametrize("length", [4, 5])
@pytest.mark.parametrize("overlap", [True, False])
def test_the_operation_is_applied_once_to_each_window(length, overlap):
    pool = eqx.nn.AdaptivePool(2, 1, lambda window: window.sum() + 10, overlap=overlap)
    y = pool(jnp.ones((1, length)))
    assert jnp.array_equal(
        y, jnp.array([[10.0 + -(-length // 2), 10.0 + (length // 2 if not overlap else -(-length // 2))]])
    )


def test_axes_come_one_after_the_other():
    pool = eqx.nn.AdaptivePool((2, 1), 2, lambda window: 2 * window[0] + window[-1])
    x = jax.random.normal(jax.random.key(0), (3, 4, 2))
    rows = 2 * x[:, [0, 2]] + x[:, [1, 3]]
    np.testing.assert_allclose(pool(x), 2 * rows[:, :, :1] + rows[:, :, 1:], rtol=1e-6)


def test_there_may_be_no_spatial_axes_and_no_channels():
    assert jnp.array_equal(eqx.nn.AdaptivePool((), 0, jnp.mean)(jnp.arange(3.0)), jnp.arange(3.0))
    assert eqx.nn.AdaptiveAvgPool1d(2)(jnp.ones((0, 5))).shape == (0, 2)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("layers", "operation"), [(AVG, jnp.mean), (MAX, jnp.max)])
def test_the_classes_with_a_number_of_axes_in_their_name_fix_the_operation(layers, operation, axes):
    pool = layers[axes - 1](np.int64(2))
    assert isinstance(pool, eqx.nn.AdaptivePool)
    assert pool.target_shape == (2,) * axes
    assert type(pool.target_shape[0]) is int
    assert pool.operation is operation
    assert pool.overlap is False
    assert layers[axes - 1]([2] * axes, overlap=True).target_shape == (2,) * axes
    hash(jax.tree.structure(pool))


@pytest.mark.parametrize("target", [0, (2, -1), (1,), (1, 2, 3), 1.5, "22", None])
def test_a_bad_target_is_an_error_at_construction(target):
    with pytest.raises(ValueError, match="`target_shape`") as info:
        eqx.nn.AdaptiveAvgPool2d(target)
    assert repr(target) in str(info.value)


def test_more_windows_than_entries_are_an_error_unless_they_overlap():
    x = jnp.arange(8.0).reshape(1, 4, 2)
    with pytest.raises(ValueError, match=r"`x` of `AdaptiveAvgPool2d`.*at least 3 entries on axis 2.*found 2"):
        eqx.nn.AdaptiveAvgPool2d(3)(x)
    assert eqx.nn.AdaptiveAvgPool2d(3, overlap=True)(x).shape == (1, 3, 3)


@pytest.mark.parametrize("overlap", [True, False])
def test_an_axis_without_entries_is_an_error(overlap):
    with pytest.raises(ValueError, match=r"`x` of `AdaptiveMaxPool1d`.*at least 1.*found 0"):
        eqx.nn.AdaptiveMaxPool1d(1, overlap=overlap)(jnp.ones((1, 0)))


def test_an_operation_that_does_not_return_a_number_is_an_error():
    with pytest.raises(ValueError, match=r"`operation`.*shape \(2,\).*2 entries"):
        eqx.nn.AdaptivePool(2, 1, lambda window: window)(jnp.ones((1, 4)))


@pytest.mark.parametrize("shape", [(3,), (3, 4), (1, 3, 4, 5)])
def test_an_input_with_other_axes_is_an_error(shape):
    with pytest.raises(ValueError, match=r"`x` of `AdaptiveAvgPool2d` must have shape \(any, any, any\)") as info:
        eqx.nn.AdaptiveAvgPool2d(1)(jnp.ones(shape))
    assert str(shape) in str(info.value)
    assert ("jax.vmap" in str(info.value)) == (len(shape) > 3)


def test_integers_stay_integers_only_for_the_largest_number():
    x = jnp.array([[1, 2, 4]])
    assert eqx.nn.AdaptiveMaxPool1d(1)(x).dtype == x.dtype
    assert jnp.array_equal(eqx.nn.AdaptiveAvgPool1d(2)(x), jnp.array([[1.5, 4.0]]))
