"""Pooling with any operation."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.test_util import check_grads

import equinox as eqx

# Of each: the start, the operation, and the operation for NumPy's arrays.
OPERATIONS: dict[str, Any] = {
    "max": (-np.inf, lax.max, np.maximum),
    "min": (np.inf, lax.min, np.minimum),
    "sum": (0, lax.add, np.add),
    "product": (1, lax.mul, np.multiply),
    "largest in absolute value": (0.0, lambda a, b: jnp.maximum(abs(a), abs(b)), lambda a, b: max(abs(a), abs(b))),
    "sum that starts from 2": (2, lax.add, np.add),
    "product that starts from an array": (jnp.float32(2), lax.mul, np.multiply),
    "max that starts from an array": (jnp.float32(0.5), lax.max, np.maximum),
}


def by_definition(name: str, windows: Any) -> Any:
    """What the operation makes of windows, each of them along the last axis."""
    init, _, operation = OPERATIONS[name]
    rows = windows.reshape(-1, windows.shape[-1])
    pooled = [functools.reduce(operation, row, np.float32(init)) for row in rows]
    return np.reshape(pooled, windows.shape[:-1])


@settings(max_examples=8, deadline=None)
@given(
    length=st.integers(1, 6),
    size=st.integers(1, 3),
    stride=st.integers(1, 4),
    padding=st.tuples(st.integers(-1, 1), st.integers(0, 1)),
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_operation_combines_the_entries_of_each_window(name, length, size, stride, padding):
    init, operation, _ = OPERATIONS[name]
    x = np.random.default_rng(0).normal(size=length).astype("float32")
    y = eqx.filter_jit(eqx.nn.Pool(init, operation, 1, size, stride, [padding]))(jnp.asarray(x[np.newaxis]))
    padded = np.pad(x, [max(amount, 0) for amount in padding], constant_values=init)[max(-padding[0], 0) :]
    if len(padded) < size:
        assert y.shape == (1, 0)
    else:
        windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::stride]
        np.testing.assert_allclose(y[0], by_definition(name, windows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPERATIONS)
def test_axes_are_independent(name):
    init, operation, _ = OPERATIONS[name]
    x = jax.random.normal(jax.random.key(0), (2, 4, 5))
    y = eqx.nn.Pool(init, operation, 2, (3, 2), (1, 2), ((1, 0), (0, 1)))(x)
    padded = np.pad(x, ((0, 0), (1, 0), (0, 1)), constant_values=init)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), (1, 2))[:, :, ::2]
    np.testing.assert_allclose(y, by_definition(name, windows.reshape(2, 3, 3, 6)), rtol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_axis_that_is_too_short_becomes_empty(name, length):
    init, operation, _ = OPERATIONS[name]
    assert eqx.nn.Pool(init, operation, 1, 3)(jnp.ones((2, length))).shape == (2, 0)


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_can_be_differentiated_in_both_modes_and_batched(name):
    init, operation, _ = OPERATIONS[name]
    pool = eqx.nn.Pool(init, operation, 2, (2, 3), 1, 1)
    x = jax.random.normal(jax.random.key(0), (3, 1, 3, 3))
    with jax.enable_x64(True):
        check_grads(pool, (np.asarray(x[0], "float64"),), order=1, modes=["fwd", "rev"])
    for one, y in zip(x, jax.vmap(pool)(x), strict=True):
        np.testing.assert_allclose(y, pool(one), rtol=1e-6)


def test_the_operation_may_be_one_of_single_numbers():
    def larger(a, b):
        return lax.cond(a > b, lambda: a, lambda: b)

    x = jnp.array([[3.0, 1.0, 2.0]])
    assert jnp.array_equal(eqx.nn.Pool(-jnp.inf, larger, 1, 2)(x), jnp.array([[3.0, 2.0]]))


@pytest.mark.parametrize("operation", [lax.max, jnp.maximum])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool", "float16", "bfloat16"])
def test_an_infinite_start_stands_for_the_extremes_of_a_dtype(operation, dtype):
    x = jnp.array([[1, 0, 0]], dtype)
    y = eqx.nn.Pool(-jnp.inf, operation, 1, 2, 1, 1)(x)
    assert y.dtype == x.dtype
    assert y.tolist() == jnp.array([[1, 1, 0, 0]], dtype).tolist()
    empty = eqx.nn.Pool(-jnp.inf, operation, 1, 2, 4, ((2, 0),))(x)
    least = {"bool": False, "float16": -jnp.inf, "bfloat16": -jnp.inf}
    assert empty[0, 0] == (least[dtype] if dtype in least else jnp.iinfo(dtype).min)


def test_the_largest_number_of_an_integer_dtype():
    empty = eqx.nn.Pool(jnp.inf, lax.min, 1, 2, 4, ((2, 0),))(jnp.array([[1, 2]], "int8"))
    assert jnp.array_equal(empty, jnp.array([[127]], "int8"))


@pytest.mark.parametrize("init", [0.5, float("nan")])
def test_a_start_that_no_integer_equals_is_an_error_for_integers(init):
    with pytest.raises(ValueError, match=rf"`init`.*int32.*{init}"):
        eqx.nn.Pool(init, lax.add, 1, 2)(jnp.ones((1, 3), "int32"))


def test_a_start_may_be_traced():
    pool = eqx.nn.Pool(-np.inf, lax.max, 1, 2)
    x = jnp.array([[3.0, 3.0, 2.0]])
    gradient = jax.jit(jax.grad(lambda x, init: eqx.tree_at(lambda p: p.init, pool, init)(x).sum()))(x, -jnp.inf)
    assert jnp.array_equal(gradient, jnp.array([[1.0, 1.0, 0.0]]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_dtypes_and_ranks_need_no_promotion(dtype):
    x = jnp.ones((1, 3), dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for init, operation in [(-jnp.inf, lax.max), (1, lax.mul), (2, lax.add)]:
            assert eqx.nn.Pool(init, operation, 1, 2, 1, 1)(x).dtype == dtype


@pytest.mark.parametrize("axes", [0, 4])
def test_there_may_be_no_axes_or_four(axes):
    x = jnp.ones((2, *[3] * axes))
    assert jnp.array_equal(eqx.nn.Pool(0, lax.add, axes, 2)(x), jnp.full((2, *[2] * axes), 2**axes))


def test_options_are_static_plain_and_hashable():
    size: Any = np.array([2, 3])
    pool = eqx.nn.Pool(0, lax.add, 2, size, np.int64(2), [[1, 0], [0, 1]])
    assert (pool.kernel_size, pool.stride, pool.padding) == ((2, 3), (2, 2), ((1, 0), (0, 1)))
    hash(jax.tree.structure(pool))
    assert jax.tree.leaves(pool) == [0, lax.add]


@pytest.mark.parametrize(
    "options",
    [
        {"num_spatial_dims": -1},
        {"kernel_size": 0},
        {"kernel_size": (1, 2, 3)},
        {"kernel_size": (2,)},
        {"kernel_size": "22"},
        {"kernel_size": None},
        {"kernel_size": 2.0},
        {"stride": (1,)},
        {"stride": 0},
        {"padding": "same"},
        {"padding": (1,)},
        {"padding": ((1, 1), 1)},
        {"padding": 0.5},
        {"padding": None},
    ],
)
def test_a_bad_option_is_an_error_at_construction_that_names_it(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}`"):
        eqx.nn.Pool(**{"init": 0, "operation": lax.add, "num_spatial_dims": 2, "kernel_size": 2, **options})


@pytest.mark.parametrize("shape", [(3,), (3, 4), (1, 3, 4, 5)])
def test_an_input_with_other_axes_is_an_error(shape):
    with pytest.raises(ValueError, match=r"`x` of `Pool` must have shape \(any, any, any\)") as info:
        eqx.nn.Pool(0, lax.add, 2, 1)(jnp.ones(shape))
    assert str(shape) in str(info.value)
    assert ("jax.vmap" in str(info.value)) == (len(shape) > 3)


@pytest.mark.parametrize("padding", [((0, 0), (0, 3)), ((0, 0), (3, 0)), ((5, 5), (2, 2))])
@pytest.mark.parametrize("use_ceil", [True, False])
def test_padding_must_not_be_larger_than_the_kernel(padding, use_ceil):
    with pytest.raises(RuntimeError, match=r"`Pool`.*size [42] on the spatial axis [01].*\([053], [053]\)"):
        eqx.nn.Pool(0, lax.add, 2, (4, 2), 1, padding, use_ceil)(jnp.ones((1, 5, 5)))


def test_padding_may_be_as_large_as_the_kernel():
    y = eqx.nn.Pool(0, lax.add, 1, 2, 1, 2)(jnp.ones((1, 2)))
    assert jnp.array_equal(y, jnp.array([[0.0, 1.0, 2.0, 1.0, 0.0]]))


@pytest.mark.parametrize(
    ("length", "size", "stride", "padding", "windows"),
    [
        (6, 3, 2, 1, 4),
        (6, 2, 3, 0, 2),
        (7, 2, 3, 0, 3),
        (5, 3, 2, 1, 3),
        (1, 3, 3, 0, 1),
        (1, 3, 1, 0, 0),
        (4, 1, 3, 1, 2),
    ],
)
def test_the_length_may_be_rounded_up(length, size, stride, padding, windows):
    pool = eqx.nn.Pool(0, lax.add, 1, size, stride, padding, use_ceil=True)
    assert pool(jnp.ones((2, length))).shape == (2, windows)


@pytest.mark.parametrize(
    ("length", "size", "stride", "padding"), [*itertools.product([1, 5], [1, 3], [1, 2, 4], [0, 1])]
)
def test_rounding_up_adds_at_most_one_window_and_leaves_the_others_as_they_are(length, size, stride, padding):
    x = np.arange(1.0, 1 + length, dtype="float32")[np.newaxis]
    down, up = (
        np.asarray(eqx.nn.Pool(0, lax.add, 1, size, stride, padding, use_ceil)(x)) for use_ceil in (False, True)
    )
    assert down.shape[1] <= up.shape[1] <= down.shape[1] + 1
    assert np.array_equal(up[:, : down.shape[1]], down)
    if up.shape[1] > down.shape[1]:
        start = down.shape[1] * stride - padding
        assert up[0, -1] == x[0, max(start, 0) : start + size].sum() > 0
