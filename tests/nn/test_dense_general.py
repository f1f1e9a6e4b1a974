"""A linear layer from several axes to several axes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)


@pytest.mark.parametrize(
    ("in_shape", "out_shape", "axes", "shape"),
    [
        (3, 4, None, (2, 5, 3)),
        ((5, 3), 4, None, (2, 5, 3)),
        (3, (4, 2), None, (3,)),
        ((3, 2), (4, 1), (2, 0), (2, 5, 3)),
        (5, (), -2, (2, 5, 3)),
        ((), (2,), None, (3,)),
    ],
)
def test_it_is_a_linear_layer_of_the_axes_that_come_in(in_shape, out_shape, axes, shape):
    layer = eqx.nn.DenseGeneral(in_shape, out_shape, axes, key=key)
    x = np.asarray(jax.random.normal(jax.random.key(1), shape))
    moved = list(range(-len(layer.in_shape), 0))
    last = np.moveaxis(x, list(layer.axes), moved)
    rest = last.shape[: last.ndim - len(moved)]
    weight = np.asarray(layer.weight).reshape(-1, max(1, int(np.prod(layer.in_shape))))
    expected = last.reshape(-1, weight.shape[1]) @ weight.T + np.asarray(layer.bias).reshape(-1)
    np.testing.assert_allclose(layer(x), expected.reshape(*rest, *layer.out_shape), rtol=1e-4, atol=1e-5)


def test_with_one_axis_it_has_the_parameters_of_linear():
    linear = eqx.nn.Linear(3, 4, key=key)
    layer = eqx.nn.DenseGeneral(3, 4, key=key)
    assert jnp.array_equal(layer.weight, linear.weight)
    assert jnp.array_equal(layer.bias, linear.bias)


def test_the_limit_of_the_initial_parameters_counts_all_entries_that_come_in():
    layer = eqx.nn.DenseGeneral((2, 50), (10, 1), key=key)
    assert layer.weight.shape == (10, 1, 2, 50)
    assert layer.bias is not None
    assert layer.bias.shape == (10, 1)
    assert 0.09 < jnp.max(jnp.abs(layer.weight)) <= 0.1


@pytest.mark.parametrize("dtype", ["bfloat16", "complex64"])
def test_result_dtypes_and_strict_promotion(dtype):
    layer = eqx.nn.DenseGeneral(3, (4, 2), dtype=dtype, key=key)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert layer(jnp.ones((5, 3), dtype)).dtype == dtype


def test_the_bias_may_be_left_out_and_taken_out():
    assert eqx.nn.DenseGeneral(3, 4, bias=False, key=key).bias is None
    layer = eqx.tree_at(lambda layer: layer.bias, eqx.nn.DenseGeneral(3, 4, key=key), None)
    assert not jnp.any(layer(jnp.zeros(3)))


def test_options_are_static_plain_and_hashable():
    sizes: Any = [np.int64(2), 3]
    layer = eqx.nn.DenseGeneral(sizes, np.int8(4), [0, np.int32(-1)], key=key)
    assert (layer.in_shape, layer.out_shape, layer.axes) == ((2, 3), (4,), (0, -1))
    hash(jax.tree.structure(layer))


@pytest.mark.parametrize(
    ("options", "name", "found"),
    [
        ({"in_shape": -1}, "in_shape", "-1"),
        ({"out_shape": (2, 1.5)}, "out_shape", "1.5"),
        ({"axes": (0, 1)}, "axes", "(0, 1)"),
        ({"axes": 0.5}, "axes", "0.5"),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(options, name, found):
    with pytest.raises(ValueError, match=f"`{name}`") as info:
        eqx.nn.DenseGeneral(**{"in_shape": 3, "out_shape": 2, **options}, key=key)
    assert found in str(info.value)


@pytest.mark.parametrize(("axes", "shape"), [((-2, -1), (3, 2)), ((0, 1), (2,)), ((1, -1), (2, 3)), ((-1, -3), (2, 3))])
def test_an_input_without_these_axes_is_an_error(axes, shape):
    layer = eqx.nn.DenseGeneral((2, 3), 4, axes, key=key)
    with pytest.raises(ValueError, match=r"`x` of `DenseGeneral`.*\(2, 3\)") as info:
        layer(jnp.ones(shape))
    assert str(axes) in str(info.value)
    assert f"found shape {shape}" in str(info.value)
