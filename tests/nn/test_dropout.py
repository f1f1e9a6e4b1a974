"""Forgetting a random part of the input."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import equinox as eqx
from tests.nn.recorded import cases

key = jax.random.key(0)
RECORDED = cases("dropout")


@pytest.mark.parametrize("case", RECORDED)
def test_its_law_is_that_of_pytorch(case):
    torch = RECORDED[case]
    p, n = float(torch["p"]), 100_000
    y = eqx.nn.Dropout(p)(jnp.ones(n), key=key)
    np.testing.assert_allclose(np.unique(y), torch["values"], rtol=1e-6)
    # Both counts are binomial: they differ by so many standard deviations once in a million cases.
    assert abs(int((y != 0).sum()) - int(torch["kept"])) <= 5 * math.sqrt(2 * n * p * (1 - p))


@given(
    x=hnp.arrays(np.float32, st.sampled_from([(), (5,), (2, 3)]), elements=st.floats(width=32)),
    p=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**31 - 1),
)
def test_kept_entries_are_divided_by_what_is_kept_and_the_others_are_zero(x, p, seed):
    # Whatever is dropped, nan and infinities too.
    key = jax.random.key(seed)
    mask = jax.random.bernoulli(key, 1 - p, x.shape)
    x = jnp.asarray(x)
    y = eqx.nn.Dropout(p)(x, key=key)
    assert y.dtype == np.float32
    assert jnp.array_equal(y, jnp.where(mask, x / (1 - p), 0), equal_nan=True)


def test_typed_and_raw_keys_drop_the_same():
    x = jnp.ones(100)
    typed, raw = (eqx.nn.Dropout()(x, key=make(3)) for make in (jax.random.key, jax.random.PRNGKey))
    assert jnp.array_equal(typed, raw)


def test_probability_and_flag_are_leaves():
    assert jax.tree.leaves(eqx.nn.Dropout(0.3)) == [0.3, False]
    assert eqx.nn.Dropout().p == 0.5
    ((leaf, _), _) = jax.tree.flatten(eqx.nn.Dropout(1))
    assert type(leaf) is float
    same_structure = (eqx.nn.Dropout(0.3), eqx.nn.Dropout(0.4, inference=True))
    assert len({jax.tree.structure(dropout) for dropout in same_structure}) == 1


def test_a_deterministic_layer_returns_its_very_input():
    x = jnp.ones(3)
    assert eqx.nn.Dropout(deterministic=True)(x) is x
    assert eqx.nn.Dropout(deterministic=True)(x, key=key) is x
    assert eqx.nn.Dropout()(x, deterministic=True) is x


@pytest.mark.parametrize("p", [0, 0.0])
def test_nothing_is_dropped_and_no_key_needed_if_the_probability_is_the_number_zero(p):
    x = jnp.ones(3)
    assert eqx.nn.Dropout(p)(x) is x
    assert eqx.nn.Dropout(p)(x, inference=False) is x


def test_without_a_key_it_is_an_error():
    with pytest.raises(RuntimeError, match="`key`"):
        eqx.nn.Dropout()(jnp.ones(3))
    with pytest.raises(RuntimeError, match="`key`"):
        eqx.nn.Dropout(inference=True)(jnp.ones(3), inference=False)


@pytest.mark.parametrize("p", [-0.1, 1.1, 2, float("nan")])
def test_a_probability_outside_zero_and_one_is_an_error(p):
    with pytest.raises(ValueError, match=f"`p`.*{p}"):
        eqx.nn.Dropout(p)


@pytest.mark.parametrize("p", [1, 1.0, jnp.array(1.0)])
def test_everything_is_dropped_with_probability_one_and_the_gradient_is_zero(p):
    dropout = eqx.nn.Dropout(p)
    x = jnp.array([1.0, jnp.inf, -3.0])
    assert jnp.array_equal(dropout(x, key=key), jnp.zeros(3))
    assert jnp.array_equal(jax.grad(lambda x: dropout(x, key=key).sum())(x), jnp.zeros(3))
    assert jnp.array_equal(jax.jvp(lambda x: dropout(x, key=key), (x,), (x,))[1], jnp.zeros(3))


def test_the_gradient_is_the_mask_over_what_is_kept():
    dropout = eqx.nn.Dropout(0.3)
    x = jnp.arange(1.0, 21.0)
    gradient = jax.grad(lambda x: dropout(x, key=key).sum())(x)
    np.testing.assert_allclose(gradient * x, dropout(x, key=key), rtol=1e-6)


def test_the_probability_may_be_a_jax_scalar():
    x = jnp.ones(50)
    expected = eqx.nn.Dropout(0.3)(x, key=key)
    assert jnp.array_equal(eqx.nn.Dropout(jnp.float32(0.3))(x, key=key), expected)
    compiled = eqx.filter_jit(lambda dropout, x: dropout(x, key=key))
    assert jnp.array_equal(compiled(eqx.nn.Dropout(jnp.float32(0.3)), x), expected)


def test_no_gradient_flows_to_the_probability():
    def total(p):
        return eqx.nn.Dropout(p)(jnp.ones(50), key=key).sum()

    assert jax.grad(total)(jnp.float32(0.3)) == 0
    assert jax.jvp(total, (jnp.float32(0.3),), (jnp.float32(1),))[1] == 0


def test_a_jax_scalar_zero_drops_nothing_but_needs_a_key():
    dropout = eqx.nn.Dropout(jnp.array(0.0))
    assert jnp.array_equal(dropout(jnp.arange(3.0), key=key), jnp.arange(3.0))
    with pytest.raises(RuntimeError, match="`key`"):
        dropout(jnp.ones(3))


@pytest.mark.parametrize("p", [0.5, jnp.float32(0.5)])
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("bfloat16", "bfloat16"), ("float16", "float16"), ("complex64", "complex64"), ("int32", "float32")],
)
def test_the_result_has_the_dtype_of_the_input_or_the_default_floating_point_dtype(p, dtype, expected):
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        y = eqx.nn.Dropout(p)(jnp.ones((4, 5), dtype), key=key)
    assert y.dtype == expected
    assert set(np.unique(y.astype("complex64"))) == {0, 2}


def test_integers_become_double_precision_where_that_is_the_default():
    with jax.enable_x64(True):
        assert eqx.nn.Dropout()(jnp.arange(3), key=key).dtype == "float64"


def test_calls_can_be_compiled_and_batched():
    dropout = eqx.nn.Dropout()
    x = jnp.arange(1.0, 41.0).reshape(4, 10)
    keys = jax.random.split(key, 4)
    expected = jnp.stack([dropout(x[i], key=keys[i]) for i in range(4)])
    batched = jax.vmap(lambda x, key: dropout(x, key=key))(x, keys)
    assert jnp.array_equal(batched, expected)
    compiled: Any = eqx.filter_jit(lambda dropout, x, key: dropout(x, key=key))
    assert jnp.array_equal(compiled(dropout, x[0], keys[0]), expected[0])
    assert compiled.eval_shape(dropout, x[0], keys[0]).shape == (10,)


def test_numpy_arrays_are_accepted():
    x: Any = np.ones(8, np.float32)
    y = eqx.nn.Dropout()(x, key=key)
    assert isinstance(y, jax.Array)


@pytest.mark.parametrize("inference", [True, False])
def test_a_flag_that_is_traced_decides_at_run_time(inference):
    # `is_array_like` traces the flag and the probability too.
    compiled = eqx.jitf(lambda dropout, x: dropout(x, key=key), filter_fn=eqx.is_array_like)
    dropout = eqx.nn.Dropout(0.3, inference)
    x = jnp.arange(1.0, 21.0)
    np.testing.assert_allclose(compiled(dropout, x), dropout(x, key=key), rtol=1e-6)


def test_a_flag_that_is_traced_needs_a_key_and_the_error_says_why():
    with pytest.raises(RuntimeError, match=r"`key`.*traced"):
        jax.jit(lambda flag, x: eqx.nn.Dropout()(x, inference=flag))(True, jnp.ones(3))
    with pytest.raises(RuntimeError, match="`key`") as info:
        eqx.nn.Dropout()(jnp.ones(3))
    assert "traced" not in str(info.value)


@pytest.mark.parametrize("axes", [(1, 2), [-2, -1], (np.int64(2), -2)])
def test_along_broadcast_axes_all_is_dropped_or_kept_together(axes):
    # Like PyTorch's `Dropout2d`, for one image.
    x = 1 + jnp.arange(24.0).reshape(4, 3, 2)
    dropout = eqx.nn.Dropout(0.25, broadcast_axes=axes)
    assert isinstance(dropout.broadcast_axes, tuple)
    assert {type(axis) for axis in dropout.broadcast_axes} == {int}
    kept = jax.random.bernoulli(key, 0.75, (4, 1, 1))
    assert jnp.array_equal(dropout(x, key=key), jnp.where(kept, x / 0.75, 0))


def test_broadcast_axes_that_the_input_lacks_are_an_error():
    with pytest.raises(ValueError, match=r"`x` of `Dropout`.*\(1, 2\).*\(3, 4\)"):
        eqx.nn.Dropout(0.5, broadcast_axes=(1, 2))(jnp.ones((3, 4)), key=key)


def test_broadcast_axes_are_static():
    assert jax.tree.leaves(eqx.nn.Dropout(0.5, broadcast_axes=(1,))) == [0.5, False]
    assert jax.tree.structure(eqx.nn.Dropout(0.5, broadcast_axes=(1,))) != jax.tree.structure(eqx.nn.Dropout(0.5))
