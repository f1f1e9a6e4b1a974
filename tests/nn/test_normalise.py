"""What holds for all layers that normalise."""

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn._normalise import smallest_normal, squared_modulus, standardised

key = jax.random.key(0)


def linear(**options):
    return eqx.nn.Linear(4, 4, key=key, **options)


# How to make each layer for an input of shape (4,), and its state.
MAKERS: dict[str, Any] = {
    "LayerNorm": lambda **options: eqx.nn.LayerNorm(4, **options),
    "RMSNorm": lambda **options: eqx.nn.RMSNorm(4, **options),
    "GroupNorm": lambda **options: eqx.nn.GroupNorm(2, 4, **options),
    "BatchNorm": lambda **options: eqx.nn.BatchNorm(4, (), mode="batch", **options),
    "BatchNorm with averages": lambda **options: eqx.nn.BatchNorm(4, (), mode="ema", **options),
    "SpectralNorm": lambda **options: eqx.nn.SpectralNorm(linear(**options), "weight", key=key),
    "WeightNorm": lambda **options: eqx.nn.Sequential([eqx.nn.WeightNorm(linear(**options))]),
}
all_makers = pytest.mark.parametrize("maker", MAKERS)
x = jnp.array([1.0, -2.0, 4.0, 0.5])


def make(maker, **options):
    return eqx.nn.make_with_state(MAKERS[maker])(**options)


def assert_close(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), a, b)


def dtypes(tree):
    return {leaf.dtype for leaf in jax.tree.leaves(tree) if eqx.is_inexact_array(leaf)}


@all_makers
def test_the_default_dtype_is_that_of_jax_at_construction(maker):
    assert dtypes(make(maker)) == {jnp.dtype("float32")}
    with jax.enable_x64(True):
        assert dtypes(make(maker)) == {jnp.dtype("float64")}
        assert dtypes(make(maker, dtype="bfloat16")) == {jnp.dtype("bfloat16")}


@all_makers
@pytest.mark.parametrize("dtype", ["int32", bool])
def test_a_dtype_that_cannot_hold_parameters_is_an_error(maker, dtype):
    with pytest.raises(ValueError, match=f"`dtype`.*{np.dtype(dtype)}"):
        make(maker, dtype=dtype)


@all_makers
def test_construction_and_call_can_be_compiled_mapped_and_traced_without_numbers(maker):
    layer, state = make(maker)
    compiled, compiled_state = eqx.filter_jit(lambda: make(maker))()
    assert_close(eqx.filter((compiled, compiled_state), eqx.is_array), eqx.filter((layer, state), eqx.is_array))
    y, new = eqx.filter_jit(layer)(x, state)
    shapes = eqx.filter_eval_shape(compiled, x, state)
    assert [leaf.shape for leaf in jax.tree.leaves(shapes)] == [leaf.shape for leaf in jax.tree.leaves((y, new))]
    ys, _ = eqx.filter_vmap(layer, in_axes=(0, None))(jnp.stack([x, 2 * x]), state)
    assert_close(ys[0], y)
    layers, states = eqx.filter_vmap(lambda _: make(maker))(jnp.arange(3))
    ys, _ = eqx.filter_vmap(lambda layer, state: layer(x, state))(layers, states)
    assert_close(ys, jnp.stack([y] * 3))
    assert_close(layer(x, state), (y, new))


@all_makers
def test_the_key_is_ignored(maker):
    layer, state = make(maker)
    results = [layer(x, jax.tree.map(jnp.copy, state), key=given)[0] for given in (None, key)]
    assert jnp.array_equal(*results)


@all_makers
def test_numpy_arrays_are_accepted(maker):
    layer, state = make(maker)
    arrays, rest = eqx.partition(layer, eqx.is_array)
    numpy_layer = eqx.combine(jax.tree.map(np.asarray, arrays), rest)
    y, _ = numpy_layer(np.asarray(x), jax.tree.map(jnp.copy, state))
    assert isinstance(y, jax.Array)
    assert_close(y, layer(x, state)[0])


@all_makers
def test_layers_and_states_can_be_saved_and_loaded(maker):
    layer, state = make(maker)
    _, state = layer(x, state)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, (layer, state))
    file.seek(0)
    loaded, loaded_state = eqx.tree_deserialise_leaves(file, make(maker))
    assert eqx.tree_equal((loaded, jax.tree.leaves(loaded_state)), (layer, jax.tree.leaves(state)))


@pytest.mark.parametrize("maker", ["LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm"])
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_parameter_may_be_replaced_by_none(maker, name):
    layer, state = make(maker)
    y, _ = layer(x, jax.tree.map(jnp.copy, state))
    without = eqx.tree_at(lambda layer: getattr(layer, name), layer, None)
    assert_close(without(x, state)[0], y)


@all_makers
def test_the_operations_are_named_in_the_compiled_program(maker):
    layer, state = make(maker)

    def call(x, state):
        return layer(x, state)

    text = jax.jit(call).lower(x, state).as_text(debug_info=True)
    assert f"eqx.nn.{maker.split()[0]}" in text


def test_the_squared_modulus_has_a_derivative_at_zero():
    assert squared_modulus(jnp.complex64(3 + 4j)) == 25
    assert jax.grad(squared_modulus)(jnp.complex64(0)) == 0


def test_standardised_arrays_have_mean_zero_and_variance_one_along_the_axis():
    array = standardised(jnp.arange(6.0).reshape(2, 3) ** 2, 0.0, axis=1)
    np.testing.assert_allclose(jnp.mean(array, 1), [0, 0], atol=1e-6)
    np.testing.assert_allclose(jnp.var(array, 1), [1, 1], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
def test_the_smallest_normal_number_is_not_zero(dtype):
    number = smallest_normal(jnp.dtype(dtype))
    assert number > 0
    assert jnp.asarray(number, dtype) > 0 if dtype != "complex64" else number == smallest_normal(jnp.dtype("float32"))
