"""Matrix and bias."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("linear")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        rows, columns = torch["weight"].shape
        linear = eqx.nn.Linear(columns, rows, bias="bias" in torch, dtype=torch["x"].dtype, key=key)
        linear = eqx.tree_at(lambda layer: layer.weight, linear, jnp.asarray(torch["weight"]))
        if "bias" in torch:
            linear = eqx.tree_at(lambda layer: layer.bias, linear, jnp.asarray(torch["bias"]))
        y = linear(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize("dtype", [None, "float16", "complex64"])
@pytest.mark.parametrize(("columns", "rows"), [(3, 4), (1, 1), (0, 2), (2, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_first_half_of_the_key_makes_the_weight_and_the_second_the_bias(columns, rows, bias, dtype):
    linear = eqx.nn.Linear(columns, rows, bias, dtype, key=key)
    limit = 1 / math.sqrt(columns) if columns else 1.0

    def draw(key, shape):
        if dtype != "complex64":
            return jax.random.uniform(key, shape, dtype or "float32", minval=-limit, maxval=limit)
        real, imaginary = (
            jax.random.uniform(part, shape, "float32", minval=-limit, maxval=limit) for part in jax.random.split(key, 2)
        )
        return real + 1j * imaginary

    weight_key, bias_key = jax.random.split(key, 2)
    assert jnp.array_equal(linear.weight, draw(weight_key, (rows, columns)))
    if bias:
        assert linear.bias is not None
        assert jnp.array_equal(linear.bias, draw(bias_key, (rows,)))
    else:
        assert linear.bias is None
    assert len(jax.tree.leaves(linear)) == 1 + bias


def test_sizes_are_static_plain_integers_even_if_they_were_numpy_integers():
    sizes: list[Any] = [np.int64(3), np.int32(4)]
    linear = eqx.nn.Linear(*sizes, key=key)
    assert type(linear.in_features) is type(linear.out_features) is int
    assert (linear.in_features, linear.out_features) == (3, 4)


@pytest.mark.parametrize(("rows", "columns"), [("scalar", 3), (3, "scalar"), ("scalar", "scalar")])
@pytest.mark.parametrize("bias", [True, False])
def test_scalar_stands_for_shape_zero_outside_and_size_one_inside(rows, columns, bias):
    linear = eqx.nn.Linear(columns, rows, bias, key=key)
    assert (linear.in_features, linear.out_features) == (columns, rows)
    vectorised = eqx.nn.Linear(1 if columns == "scalar" else 3, 1 if rows == "scalar" else 3, bias, key=key)
    assert jnp.array_equal(linear.weight, vectorised.weight)
    x = jnp.float32(2) if columns == "scalar" else jnp.arange(3.0)
    y = linear(x)
    assert y.shape == (() if rows == "scalar" else (3,))
    assert jnp.array_equal(y.reshape(-1), vectorised(x.reshape(-1)))


def test_a_scalar_input_may_be_a_python_number():
    linear = eqx.nn.Linear("scalar", 2, dtype="bfloat16", key=key)
    x: Any = 3.0
    y = linear(x)
    assert y.dtype == jnp.bfloat16
    assert jnp.array_equal(y, linear(jnp.bfloat16(3)))


@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1)])
def test_a_scalar_input_with_axes_is_an_error(shape):
    with pytest.raises(ValueError, match=r"must have shape \(\)"):
        eqx.nn.Linear("scalar", 2, key=key)(jnp.ones(shape))


def test_without_inputs_the_output_is_the_bias():
    x = jnp.ones(0)
    linear = eqx.nn.Linear(0, 2, key=key)
    assert linear.bias is not None
    assert jnp.array_equal(linear(x), linear.bias)
    assert jnp.array_equal(eqx.nn.Linear(0, 2, bias=False, key=key)(x), jnp.zeros(2))


def test_there_may_be_no_outputs():
    assert eqx.nn.Linear(2, 0, key=key)(jnp.ones(2)).shape == (0,)


@pytest.mark.parametrize("size", [-1, 2.5, "vector", None])
def test_a_bad_size_is_an_error_that_names_it(size):
    with pytest.raises(ValueError, match=f"`in_features`.*{size}"):
        eqx.nn.Linear(size, 2, key=key)
    with pytest.raises(ValueError, match=f"`out_features`.*{size}"):
        eqx.nn.Linear(2, size, key=key)


def test_a_square_batch_is_not_mistaken_for_a_vector():
    # `weight @ x` would be defined, and not be what is wanted.
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        eqx.nn.Linear(3, 3, key=key)(jnp.ones((3, 3)))


def test_complex_weights_are_not_conjugated():
    linear = eqx.nn.Linear(2, 1, dtype="complex64", key=key)
    x = jnp.array([1 + 2j, 3j])
    assert linear.bias is not None
    np.testing.assert_allclose(linear(x)[0], sum(linear.weight[0] * x) + linear.bias[0], rtol=1e-6)


def test_whether_a_bias_is_added_depends_on_the_bias_and_not_on_the_flag():
    linear = eqx.tree_at(lambda layer: layer.bias, eqx.nn.Linear(3, 2, key=key), None)
    x = jnp.arange(3.0)
    assert linear.use_bias
    assert jnp.array_equal(linear(x), linear.weight @ x)


class Quantised(eqx.Module):
    """Something that behaves like an array by converting itself."""

    codes: jax.Array

    def __jax_array__(self):
        return self.codes.astype("float32") / 8


def test_the_weight_may_be_replaced_by_anything_that_can_be_multiplied_with():
    linear = eqx.nn.Linear(2, 2, bias=False, key=key)
    quantised = eqx.tree_at(lambda layer: layer.weight, linear, Quantised(jnp.array([[8, 0], [4, 16]])))
    assert jnp.array_equal(quantised(jnp.ones(2)), jnp.array([1.0, 2.5]))
