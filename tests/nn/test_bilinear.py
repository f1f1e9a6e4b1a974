"""A vector out of the products of two others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("bilinear")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    size, *inputs = torch["weight"].shape
    with jax.enable_x64(torch["y"].dtype == np.float64):
        layer = eqx.nn.Bilinear(*inputs, size, use_bias="bias" in torch, key=key)
        parameters = {name: array for name, array in torch.items() if name in {"weight", "bias"}}
        layer = eqx.nn.load_torch(layer, parameters)
        y = eqx.filter_jit(layer)(jnp.asarray(torch["x1"]), jnp.asarray(torch["x2"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_the_first_half_of_the_key_makes_the_weight_and_the_second_the_bias():
    layer = eqx.nn.Bilinear(3, 4, 2, key=key)
    weight_key, bias_key = jax.random.split(key)
    limit = 1 / np.sqrt(12)
    assert jnp.array_equal(layer.weight, jax.random.uniform(weight_key, (2, 3, 4), minval=-limit, maxval=limit))
    assert jnp.array_equal(layer.bias, jax.random.uniform(bias_key, (2,), minval=-limit, maxval=limit))


@pytest.mark.parametrize("dtype", ["bfloat16", "complex64"])
def test_result_dtypes_and_strict_promotion(dtype):
    layer = eqx.nn.Bilinear(3, 4, 2, dtype=dtype, key=key)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert layer(jnp.ones(3, dtype), jnp.ones(4, dtype)).dtype == dtype


def test_derivatives_and_batches():
    layer = eqx.nn.Bilinear(3, 4, 2, key=key)
    x1, x2 = jnp.arange(3.0), jnp.arange(4.0)
    check_grads(layer, (x1, x2), order=1, modes=["fwd", "rev"], rtol=1e-2)
    ys = jax.vmap(layer)(jnp.stack([x1, 2 * x1]), jnp.stack([x2, x2]))
    np.testing.assert_allclose(ys[1], layer(2 * x1, x2), rtol=1e-5)


def test_the_bias_may_be_left_out():
    layer = eqx.nn.Bilinear(3, 4, 2, bias=False, key=key)
    assert layer.bias is None
    assert not layer.use_bias
    assert not jnp.any(layer(jnp.zeros(3), jnp.ones(4)))


@pytest.mark.parametrize("name", ["in1_features", "in2_features", "out_features"])
def test_a_bad_size_is_an_error_that_names_it(name):
    sizes = {"in1_features": 1, "in2_features": 1, "out_features": 1, name: -1}
    with pytest.raises(ValueError, match=f"`{name}`.*-1"):
        eqx.nn.Bilinear(**sizes, key=key)


def test_an_input_of_another_shape_is_an_error_that_names_it():
    layer = eqx.nn.Bilinear(3, 4, 2, key=key)
    with pytest.raises(ValueError, match=r"`x2` of `Bilinear` must have shape \(4,\), found shape \(3,\)"):
        layer(jnp.ones(3), jnp.ones(3))
    with pytest.raises(ValueError, match=r"`x1` of `Bilinear` .*jax.vmap"):
        layer(jnp.ones((5, 3)), jnp.ones((5, 4)))
