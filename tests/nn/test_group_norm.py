"""Normalisation over groups of channels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("group_norm")
random = np.random.default_rng(0)


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        norm = eqx.nn.GroupNorm(int(torch["groups"]), 6, channelwise_affine="weight" in torch)
        if "weight" in torch:
            parameters = (jnp.asarray(torch["weight"]), jnp.asarray(torch["bias"]))
            norm = eqx.tree_at(lambda norm: (norm.weight, norm.bias), norm, parameters)
        y = norm(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_one_group_is_a_layer_norm():
    x = jnp.asarray(random.normal(size=(4, 3)), "float32")
    layer_norm = eqx.nn.LayerNorm((4, 3), elementwise_affine=False)
    np.testing.assert_allclose(eqx.nn.GroupNorm(1, 4)(x), layer_norm(x), rtol=1e-5, atol=1e-6)


def test_parameters_are_one_per_channel():
    norm = eqx.nn.GroupNorm(2, 4)
    assert norm.weight is not None
    assert norm.bias is not None
    assert jnp.array_equal(norm.weight, jnp.ones(4))
    assert jnp.array_equal(norm.bias, jnp.zeros(4))


def test_without_parameters_the_number_of_channels_may_be_left_open():
    norm = eqx.nn.GroupNorm(2, channelwise_affine=False)
    assert norm.channels is norm.weight is norm.bias is None
    assert norm(jnp.ones((4, 3))).shape == (4, 3)
    assert norm(jnp.ones((6,))).shape == (6,)


@pytest.mark.parametrize(
    ("groups", "channels", "name"), [(0, 4, "groups"), (-1, 4, "groups"), (3, 4, "channels"), (2, None, "channels")]
)
def test_a_bad_configuration_is_an_error_that_names_the_argument(groups, channels, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        eqx.nn.GroupNorm(groups, channels)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(6, 2), (2,), ()])
def test_another_number_of_channels_is_an_error_with_parameters_or_without(shape, affine):
    with pytest.raises(ValueError, match=r"`x` of `GroupNorm`.*channels = 4") as info:
        eqx.nn.GroupNorm(2, 4, channelwise_affine=affine)(jnp.ones(shape))
    assert str(shape) in str(info.value)


def test_channels_that_do_not_fit_into_groups_are_an_error():
    with pytest.raises(ValueError, match=r"multiple of 2.*\(3, 2\)"):
        eqx.nn.GroupNorm(2, channelwise_affine=False)(jnp.ones((3, 2)))


@pytest.mark.parametrize("shape", [(0,), (4, 0)])
def test_an_empty_input_gives_an_empty_output(shape):
    assert eqx.nn.GroupNorm(2, shape[0])(jnp.ones(shape)).shape == shape


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
    norm = eqx.nn.GroupNorm(2, 4, dtype=of_parameters)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert norm(jnp.arange(8).reshape(4, 2).astype(of_x)).dtype == of_result


def test_half_precision_does_not_overflow():
    x = jnp.array([60_000, -60_000, 60_000, -60_000], "float16")
    assert jnp.array_equal(eqx.nn.GroupNorm(2, 4)(x), jnp.array([1, -1, 1, -1], "float16"))


def test_a_state_is_handed_on_whatever_it_is():
    norm = eqx.nn.GroupNorm(2, 4)
    x: Any = jnp.arange(4.0)
    y, state = norm(x, None)
    assert state is None
    assert jnp.array_equal(y, norm(x))


def test_derivatives_agree_with_finite_differences():
    with jax.enable_x64(True):
        arrays, rest = eqx.partition(eqx.nn.GroupNorm(2, 4), eqx.is_array)
        x = jnp.asarray(random.normal(size=(4, 3)))
        check_grads(lambda arrays, x: eqx.combine(arrays, rest)(x), (arrays, x), order=1, modes=["fwd", "rev"])
