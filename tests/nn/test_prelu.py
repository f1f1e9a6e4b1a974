"""The rectifier with a learnt slope."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("prelu")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        prelu = eqx.nn.PReLU(jnp.asarray(torch["weight"]).reshape(-1, 1, 1))
        y = prelu(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_the_slope_is_a_leaf_as_weakly_typed_as_it_was_given():
    assert jax.tree.leaves(eqx.nn.PReLU()) == [0.25]
    assert eqx.nn.PReLU().negative_slope.weak_type
    assert not eqx.nn.PReLU(jnp.ones(3)).negative_slope.weak_type


def test_without_a_slope_it_is_an_error():
    with pytest.raises(ValueError, match=r"`init_alpha`.*None"):
        eqx.nn.PReLU(None)


def test_nan_stays_nan():
    assert jnp.isnan(eqx.nn.PReLU()(jnp.array([jnp.nan]))).all()


def test_at_zero_the_derivative_is_that_of_the_positive_side():
    gradient = jax.grad(eqx.nn.PReLU())
    assert (gradient(-1.0), gradient(0.0), gradient(1.0)) == (0.25, 1, 1)


def test_the_gradient_of_the_slope_comes_from_negative_inputs():
    gradient = eqx.filter_grad(lambda prelu, x: prelu(x).sum())(eqx.nn.PReLU(), jnp.array([-2.0, 3.0]))
    assert gradient.negative_slope == -2


@pytest.mark.parametrize(
    ("slope", "x", "expected"),
    [
        (0.25, jnp.bfloat16(-1), "bfloat16"),
        (jnp.float32(0.25), jnp.bfloat16(-1), "float32"),
        (0.25, jnp.int32(-4), "float32"),
    ],
)
def test_dtypes_promote_even_where_promotion_is_strict(slope, x, expected):
    with jax.numpy_dtype_promotion("strict"):
        assert eqx.nn.PReLU(slope)(x).dtype == expected


def test_ranks_promote_even_where_that_is_an_error():
    with jax.numpy_rank_promotion("raise"):
        y = eqx.nn.PReLU(jnp.array([0.0, 1.0, 2.0]))(-jnp.ones((2, 3)))
    assert jnp.array_equal(y, jnp.array([[0.0, -1.0, -2.0]] * 2))


def test_the_key_is_ignored():
    assert eqx.nn.PReLU()(jnp.float32(-4), key=jax.random.key(0)) == -1
