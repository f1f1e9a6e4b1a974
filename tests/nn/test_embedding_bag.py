"""One vector for a collection of things."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("embedding_bag")
MODES: list[Any] = ["sum", "mean", "max"]


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    mode: Any
    mode, padding, _ = case.split(":")
    with jax.enable_x64(torch["ys"].dtype == np.float64):
        weight = jnp.asarray(torch["weight"])
        bag = eqx.nn.EmbeddingBag(weight=weight, mode=mode, padding_idx=None if padding == "None" else int(padding))
        ys = eqx.filter_jit(eqx.filter_vmap(bag))(torch["xs"])
        assert ys.dtype == torch["ys"].dtype
        np.testing.assert_allclose(ys, torch["ys"], **tolerance(torch["ys"]))


@pytest.mark.parametrize("mode", MODES)
def test_what_is_masked_is_no_member(mode):
    bag = eqx.nn.EmbeddingBag(5, 3, mode=mode, key=key)
    mask = jnp.array([True, False, True])
    assert jnp.allclose(bag(jnp.array([1, 2, 4]), mask), bag(jnp.array([1, 4])))
    assert jnp.allclose(bag(jnp.array([1, 2, 4]), np.asarray(mask)), bag(jnp.array([1, 4])))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("masked", [False, True])
def test_a_bag_without_members_is_zero_and_has_a_finite_gradient(mode, masked):
    bag = eqx.nn.EmbeddingBag(5, 3, mode=mode, key=key)
    index, mask = (jnp.array([1]), jnp.array([False])) if masked else (jnp.zeros(0, int), None)
    value, gradient = eqx.filter_value_and_grad(lambda bag: bag(index, mask).sum())(bag)
    assert value == 0
    assert not jnp.any(gradient.weight)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_result_dtypes_and_strict_promotion(mode, dtype):
    bag = eqx.nn.EmbeddingBag(5, 3, dtype=dtype, mode=mode, padding_idx=0, key=key)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert bag(jnp.array([1, 0, 4], "int8")).dtype == dtype


def test_it_is_an_embedding_with_the_same_table():
    bag = eqx.nn.EmbeddingBag(5, 3, padding_idx=1, key=key)
    assert isinstance(bag, eqx.nn.Embedding)
    assert bag.mode == "mean"
    assert jnp.array_equal(bag.weight, eqx.nn.Embedding(5, 3, padding_idx=1, key=key).weight)
    assert len(jax.tree.leaves(bag)) == 1


def test_a_bad_mode_is_an_error():
    mode: Any = "median"
    with pytest.raises(ValueError, match=r"`mode`.*'median'"):
        eqx.nn.EmbeddingBag(5, 3, mode=mode, key=key)


@pytest.mark.parametrize(
    ("x", "mask", "error", "message"),
    [
        (jnp.array(1), None, ValueError, r"`x` of `EmbeddingBag` must have shape \(any,\)"),
        (jnp.ones((2, 3), int), None, ValueError, "jax.vmap"),
        (jnp.ones(3), None, TypeError, "`x` of `EmbeddingBag` must be an integer"),
        (jnp.ones(3, int), jnp.ones(2, bool), ValueError, r"`mask` of `EmbeddingBag` must have shape \(3,\)"),
        (jnp.ones(3, int), jnp.ones(3), TypeError, "`mask` of `EmbeddingBag` must consist of booleans"),
    ],
)
def test_a_bad_input_is_an_error(x, mask, error, message):
    with pytest.raises(error, match=message):
        eqx.nn.EmbeddingBag(5, 3, key=key)(x, mask)
