"""Normalisation by the root mean square."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("rms_norm")
random = np.random.default_rng(0)


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        norm = eqx.nn.RMSNorm(torch["x"].shape, eps=float(torch["eps"]), use_bias=False)
        norm = eqx.tree_at(lambda norm: norm.weight, norm, jnp.asarray(torch["weight"]))
        y = norm(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize(("shape", "stored"), [(3, (3,)), ([2, 3], (2, 3)), ((), ())])
def test_there_are_a_weight_of_ones_and_a_bias_of_zeros_by_default(shape, stored):
    norm = eqx.nn.RMSNorm(shape)
    assert norm.shape == stored
    assert norm.weight is not None
    assert norm.bias is not None
    assert jnp.array_equal(norm.weight, jnp.ones(stored))
    assert jnp.array_equal(norm.bias, jnp.zeros(stored))


@pytest.mark.parametrize(
    ("options", "has_weight", "has_bias"),
    [({"use_weight": False}, False, True), ({"use_bias": False}, True, False), ({"bias": False}, True, False)],
)
def test_weight_and_bias_are_there_if_wanted(options, has_weight, has_bias):
    norm = eqx.nn.RMSNorm(3, **options)
    assert (norm.use_weight, norm.use_bias) == (has_weight, has_bias)
    assert (norm.weight is not None, norm.bias is not None) == (has_weight, has_bias)
    assert norm(jnp.arange(3.0)).shape == (3,)


def test_weight_and_bias_scale_and_shift_each_entry():
    norm = eqx.tree_at(lambda n: (n.weight, n.bias), eqx.nn.RMSNorm(2), (jnp.array([2.0, 3.0]), jnp.array([10.0, 20])))
    np.testing.assert_allclose(norm(jnp.array([1.0, 7.0])), [10.4, 24.2], rtol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3), (4,), ()])
def test_the_input_must_have_precisely_the_shape(shape):
    with pytest.raises(ValueError, match=r"`x` of `RMSNorm`.*\(3,\)") as info:
        eqx.nn.RMSNorm(3)(jnp.ones(shape))
    assert ("jax.vmap" in str(info.value)) == (len(shape) > 1)


def test_a_complex_input_is_divided_by_the_root_of_the_mean_squared_modulus():
    # The mean of the squares is 0.
    x = jnp.array([1.0, 1.0j])
    np.testing.assert_allclose(eqx.nn.RMSNorm(2, eps=0.0)(x), x, rtol=1e-6)


def test_half_precision_does_not_overflow():
    assert jnp.array_equal(eqx.nn.RMSNorm(2)(jnp.array([60_000, -60_000], "float16")), jnp.array([1, -1], "float16"))


@pytest.mark.parametrize(
    ("of_x", "of_parameters", "of_result"),
    [
        ("float16", "float32", "float16"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("complex64", "float32", "complex64"),
        ("int32", "float32", "float32"),
    ],
)
def test_the_result_has_the_dtype_of_the_input_or_a_floating_point_one_even_where_promotion_is_strict(
    of_x, of_parameters, of_result
):
    norm = eqx.nn.RMSNorm(3, dtype=of_parameters)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert norm(jnp.arange(3).astype(of_x)).dtype == of_result


def test_a_state_is_handed_on_whatever_it_is():
    norm = eqx.nn.RMSNorm(3)
    x = jnp.arange(3.0)
    y, state = norm(x, None)
    assert state is None
    assert jnp.array_equal(y, norm(x))


def test_derivatives_agree_with_finite_differences():
    with jax.enable_x64(True):
        arrays, rest = eqx.partition(eqx.nn.RMSNorm(4), eqx.is_array)
        x = jnp.asarray(random.normal(size=4))
        check_grads(lambda arrays, x: eqx.combine(arrays, rest)(x), (arrays, x), order=1, modes=["fwd", "rev"])


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_the_gradient_at_zero_is_finite(dtype):
    norm = eqx.nn.RMSNorm(3)
    assert jnp.isfinite(jax.grad(lambda x: norm(x).real.sum())(jnp.zeros(3, dtype))).all()
