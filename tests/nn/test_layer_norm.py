"""Normalisation over one example."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("layer_norm")
random = np.random.default_rng(0)


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        norm = eqx.nn.LayerNorm(torch["x"].shape, use_bias="bias" in torch)
        norm = eqx.tree_at(lambda norm: norm.weight, norm, jnp.asarray(torch["weight"]))
        if "bias" in torch:
            norm = eqx.tree_at(lambda norm: norm.bias, norm, jnp.asarray(torch["bias"]))
        y = norm(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize(("shape", "stored"), [(3, (3,)), ([2, 3], (2, 3)), ((), ()), (np.int64(4), (4,))])
def test_weight_and_bias_have_the_shape_of_the_input_and_start_as_ones_and_zeros(shape, stored):
    norm = eqx.nn.LayerNorm(shape)
    assert norm.shape == stored
    assert all(type(size) is int for size in norm.shape)
    assert norm.weight is not None
    assert norm.bias is not None
    assert jnp.array_equal(norm.weight, jnp.ones(stored))
    assert jnp.array_equal(norm.bias, jnp.zeros(stored))
    assert norm(jnp.ones(stored)).shape == stored


@pytest.mark.parametrize(
    ("options", "has_weight", "has_bias"),
    [
        ({"use_weight": False}, False, True),
        ({"use_bias": False}, True, False),
        ({"bias": False}, True, False),
        ({"use_bias": False, "bias": True}, True, True),
        ({"elementwise_affine": False}, False, False),
        ({"use_weight": False, "use_bias": False, "elementwise_affine": True}, True, True),
    ],
)
def test_weight_and_bias_are_there_if_wanted(options, has_weight, has_bias):
    norm = eqx.nn.LayerNorm(3, **options)
    assert (norm.use_weight, norm.use_bias) == (has_weight, has_bias)
    assert (norm.weight is not None, norm.bias is not None) == (has_weight, has_bias)
    assert norm(jnp.arange(3.0)).shape == (3,)


def test_contradicting_options_are_an_error_that_names_them():
    with pytest.raises(ValueError, match="`elementwise_affine=True` and `bias=False`"):
        eqx.nn.LayerNorm(3, elementwise_affine=True, bias=False)


@pytest.mark.parametrize("shape", [-1, (2, -3), 2.5, "3"])
def test_a_bad_shape_is_an_error_that_names_it(shape):
    with pytest.raises(ValueError, match="`shape`"):
        eqx.nn.LayerNorm(shape)


@pytest.mark.parametrize("shape", [(2, 3), (3, 1), (4,), ()])
def test_the_input_must_have_precisely_the_shape(shape):
    with pytest.raises(ValueError, match=r"`x` of `LayerNorm`.*\(3,\)") as info:
        eqx.nn.LayerNorm(3)(jnp.ones(shape))
    assert ("jax.vmap" in str(info.value)) == (len(shape) > 1)


def test_a_constant_input_gives_the_bias():
    norm = eqx.tree_at(lambda norm: norm.bias, eqx.nn.LayerNorm(3), jnp.arange(3.0))
    assert jnp.array_equal(norm(jnp.full(3, 7.0)), jnp.arange(3.0))


def test_eps_is_added_to_the_variance():
    x = jnp.array([1.0, 3.0])
    np.testing.assert_allclose(eqx.nn.LayerNorm(2, eps=8.0)(x), [-1 / 3, 1 / 3], rtol=1e-6)


def test_statistics_of_half_precision_neither_overflow_nor_round():
    x = jnp.array([60_000.0, -60_000.0, 60_000.0, -60_000.0], "float16")
    assert jnp.array_equal(eqx.nn.LayerNorm(4)(x), jnp.array([1, -1, 1, -1], "float16"))
    many = jnp.asarray(random.normal(size=4096) + 10, "bfloat16")
    y = eqx.nn.LayerNorm(4096, use_weight=False, use_bias=False)(many)
    wide = np.asarray(many, np.float64)
    exact = jnp.asarray((wide - wide.mean()) / np.sqrt(wide.var() + 1e-5), "bfloat16")
    np.testing.assert_allclose(np.asarray(y, np.float32), np.asarray(exact, np.float32), rtol=2**-7)


def test_a_complex_input_has_a_complex_mean_and_the_mean_squared_modulus_as_variance():
    x = random.normal(size=5) + 1j * random.normal(size=5)
    y = eqx.nn.LayerNorm(5)(jnp.asarray(x, "complex64"))
    centred = x - x.mean()
    assert y.dtype == jnp.complex64
    np.testing.assert_allclose(y, centred / np.sqrt(np.mean(abs(centred) ** 2) + 1e-5), rtol=1e-5)


@pytest.mark.parametrize(
    ("of_x", "of_parameters", "of_result"),
    [
        ("float16", "float32", "float16"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("float32", "bfloat16", "float32"),
        ("complex64", "float32", "complex64"),
        ("int32", "float32", "float32"),
        ("int8", "float16", "float32"),
    ],
)
def test_the_result_has_the_dtype_of_the_input_or_a_floating_point_one_even_where_promotion_is_strict(
    of_x, of_parameters, of_result
):
    norm = eqx.nn.LayerNorm((2, 3), dtype=of_parameters)
    assert norm.weight is not None
    assert norm.weight.dtype == of_parameters
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert norm(jnp.arange(6).reshape(2, 3).astype(of_x)).dtype == of_result


def test_a_state_is_handed_on_whatever_it_is():
    norm = eqx.nn.LayerNorm(3)
    x = jnp.arange(3.0)
    for state in [None, "state", eqx.nn.State(None)]:
        y, same = norm(x, state)
        assert same is state
        assert jnp.array_equal(y, norm(x))
    assert norm(x, state=None)[1] is None


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_derivatives_agree_with_finite_differences(shape):
    with jax.enable_x64(True):
        arrays, rest = eqx.partition(eqx.nn.LayerNorm(shape), eqx.is_array)
        x = jnp.asarray(random.normal(size=shape))
        check_grads(lambda arrays, x: eqx.combine(arrays, rest)(x), (arrays, x), order=1, modes=["fwd", "rev"])


def test_gradients_are_finite_where_the_input_is_constant():
    norm = eqx.nn.LayerNorm(3)
    gradient: Any = jax.grad(lambda x: norm(x).sum())(jnp.ones(3))
    assert jnp.isfinite(gradient).all()
