"""Normalisation of each channel."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("instance_norm")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        norm = eqx.nn.InstanceNorm(3, 1e-3, channelwise_affine="weight" in torch)
        if "weight" in torch:
            parameters = (jnp.asarray(torch["weight"]), jnp.asarray(torch["bias"]))
            norm = eqx.tree_at(lambda norm: (norm.weight, norm.bias), norm, parameters)
        y = norm(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_there_are_no_parameters_unless_they_are_asked_for():
    assert jax.tree.leaves(eqx.nn.InstanceNorm(3)) == []
    norm = eqx.nn.InstanceNorm(3, channelwise_affine=True, dtype="bfloat16")
    assert norm.weight is not None
    assert norm.bias is not None
    assert norm.weight.dtype == norm.bias.dtype == jnp.bfloat16
    assert jnp.array_equal(norm.weight, jnp.ones(3))
    assert jnp.array_equal(norm.bias, jnp.zeros(3))


def test_it_is_a_group_norm_with_a_group_for_each_channel():
    norm = eqx.nn.InstanceNorm(3)
    assert isinstance(norm, eqx.nn.GroupNorm)
    assert norm.groups == norm.channels == 3
    assert norm.eps == 1e-5


def test_a_channel_with_a_single_entry_becomes_zero():
    assert jnp.array_equal(eqx.nn.InstanceNorm(2)(jnp.array([[3.0], [4.0]])), jnp.zeros((2, 1)))


def test_statistics_of_half_precision_do_not_overflow():
    x = jnp.array([[30000, 60000]], "float16")
    y = eqx.nn.InstanceNorm(1)(x)
    assert y.dtype == np.float16
    assert jnp.array_equal(y, jnp.array([[-1, 1]], "float16"))


@pytest.mark.parametrize("channels", [0, -1, 2.5, None])
def test_a_bad_number_of_channels_is_an_error_that_names_it(channels: Any):
    with pytest.raises(ValueError, match=f"`channels`.*{channels}"):
        eqx.nn.InstanceNorm(channels)


def test_another_number_of_channels_is_an_error_that_names_the_layer():
    with pytest.raises(ValueError, match=r"`x` of `InstanceNorm`.*channels = 3.*\(2, 4\)"):
        eqx.nn.InstanceNorm(3)(jnp.ones((2, 4)))


def test_a_state_is_passed_through():
    x = jnp.ones((2, 3))
    out, state = eqx.nn.InstanceNorm(2)(x, "state")
    assert state == "state"
    assert jnp.array_equal(out, jnp.zeros((2, 3)))
