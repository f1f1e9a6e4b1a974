"""The initial values of parameters."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn._initialise import default_dtype, uniform, weight_and_bias

key = jax.random.key(5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", jnp.bfloat16, np.float32, np.dtype("float32")])
@pytest.mark.parametrize("fan_in", [1, 3, 100])
def test_real_parameters_are_one_draw_whose_limit_depends_on_the_fan_in(dtype, fan_in):
    limit = 1 / math.sqrt(fan_in)
    drawn = uniform(key, (20, 7), fan_in, dtype)
    assert drawn.dtype == dtype
    assert jnp.array_equal(drawn, jax.random.uniform(key, (20, 7), dtype, minval=-limit, maxval=limit))
    assert 0.8 * limit < abs(drawn).max() <= limit


def test_without_inputs_the_limit_is_one():
    assert jnp.array_equal(uniform(key, (9,), 0, None), uniform(key, (9,), 1, None))


@pytest.mark.parametrize(("dtype", "part"), [("complex64", "float32"), ("complex128", "float64")])
def test_of_complex_parameters_both_parts_are_drawn_from_their_own_key(dtype, part):
    with jax.enable_x64(True):
        drawn = uniform(key, (4, 2), 4, dtype)
        real_key, imaginary_key = jax.random.split(key, 2)
        assert drawn.dtype == dtype
        assert jnp.array_equal(drawn.real, jax.random.uniform(real_key, (4, 2), part, minval=-0.5, maxval=0.5))
        assert jnp.array_equal(drawn.imag, jax.random.uniform(imaginary_key, (4, 2), part, minval=-0.5, maxval=0.5))


def test_the_default_dtype_is_double_precision_only_while_that_is_enabled():
    assert default_dtype() == np.float32
    assert uniform(key, (), 1, None).dtype == np.float32
    with jax.enable_x64(True):
        assert default_dtype() == np.float64
        assert uniform(key, (), 1, None).dtype == np.float64
    assert default_dtype() == np.float32


@pytest.mark.parametrize("dtype", [int, "uint8", jnp.bool_])
def test_a_dtype_without_fractions_is_an_error(dtype):
    with pytest.raises(ValueError, match=f"argument `dtype`.*found {jnp.dtype(dtype)}"):
        uniform(key, (2,), 1, dtype)


#: Constructors of all layers with initialisers, and the parameters that a weight and a bias initialiser make, in the
#: order of the keys that the layer's key is split into.
LAYERS: dict[str, tuple[Any, list[str], list[str]]] = {
    "Linear": (lambda **kwargs: eqx.nn.Linear(3, 2, **kwargs), ["weight"], ["bias"]),
    "Conv": (lambda **kwargs: eqx.nn.Conv(1, 4, 2, 3, groups=2, **kwargs), ["weight"], ["bias"]),
    "Conv1d": (lambda **kwargs: eqx.nn.Conv1d(4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "Conv2d": (lambda **kwargs: eqx.nn.Conv2d(4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "Conv3d": (lambda **kwargs: eqx.nn.Conv3d(4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "ConvTranspose": (lambda **kwargs: eqx.nn.ConvTranspose(1, 4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "ConvTranspose1d": (lambda **kwargs: eqx.nn.ConvTranspose1d(4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "ConvTranspose2d": (lambda **kwargs: eqx.nn.ConvTranspose2d(4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "ConvTranspose3d": (lambda **kwargs: eqx.nn.ConvTranspose3d(4, 2, 3, **kwargs), ["weight"], ["bias"]),
    "GRUCell": (lambda **kwargs: eqx.nn.GRUCell(3, 2, **kwargs), ["weight_ih", "weight_hh"], ["bias", "bias_n"]),
    "LSTMCell": (lambda **kwargs: eqx.nn.LSTMCell(3, 2, **kwargs), ["weight_ih", "weight_hh"], ["bias"]),
}


def zeros(key, shape, dtype):
    return jnp.zeros(shape, dtype)


@pytest.mark.parametrize("name", LAYERS)
def test_initialisers_get_the_keys_shapes_and_dtype_of_the_default_ones(name):
    make, weights, biases = LAYERS[name]
    seen: list[Any] = []

    def recorded(kind):
        def initialise(key, shape, dtype):
            seen.append((kind, key, shape, dtype))
            return np.full(shape, len(seen), dtype)

        return initialise

    layer = make(key=key, dtype="float16", weight_init=recorded("weight"), bias_init=recorded("bias"))
    default = make(key=key, dtype="float16")
    kinds = ["weight"] * len(weights) + ["bias"] * len(biases)
    names = [*weights, *biases]
    for i, kind, name, sub_key, (found, *arguments) in zip(
        range(1, 9), kinds, names, jax.random.split(key, len(names)), seen, strict=False
    ):
        parameter = getattr(layer, name)
        assert isinstance(parameter, jax.Array)
        assert (parameter == i).all()
        assert found == kind
        assert arguments[0] == sub_key
        assert arguments[1:] == [getattr(default, name).shape, np.float16]
    assert len(seen) == len(names)
    assert jax.tree.structure(layer) == jax.tree.structure(default)


@pytest.mark.parametrize("scan", [False, True])
def test_a_perceptron_hands_initialisers_to_all_its_layers(scan):
    def weight_init(key, shape, dtype):
        return jax.random.normal(key, shape, dtype)

    mlp = eqx.nn.MLP(3, 2, 4, 3, key=key, weight_init=weight_init, bias_init=zeros, scan=scan)
    keys = [jax.random.split(sub_key)[0] for sub_key in jax.random.split(key, 4)]
    shapes = [(4, 3), (4, 4), (4, 4), (2, 4)]
    first, second, third, last = (jax.random.normal(*pair) for pair in zip(keys, shapes, strict=True))
    expected = [first, jnp.stack([second, third]), last] if scan else [first, second, third, last]
    for layer, weight in zip(mlp.layers, expected, strict=True):
        assert jnp.array_equal(layer.weight, weight)
        assert layer.bias is not None
        assert not layer.bias.any()


def test_an_initialiser_makes_the_table_of_an_embedding_from_the_whole_key():
    embedding = eqx.nn.Embedding(5, 3, key=key, weight_init=jax.nn.initializers.uniform(2.0))
    assert jnp.array_equal(embedding.weight, jax.random.uniform(key, (5, 3)) * 2)
    with pytest.raises(ValueError, match=r"both.*`weight`.*`weight_init`"):
        eqx.nn.Embedding(weight=jnp.eye(3), weight_init=zeros)


def test_without_a_bias_its_initialiser_is_not_called():
    def fail(key, shape, dtype):
        pytest.fail("it was called")

    assert eqx.nn.Linear(3, 2, use_bias=False, key=key, bias_init=fail).bias is None


def test_initialisers_run_under_transformations():
    def make(key):
        return eqx.nn.Linear(3, 2, key=key, weight_init=jax.nn.initializers.normal())

    assert eqx.filter_vmap(make)(jax.random.split(key, 4)).weight.shape == (4, 2, 3)
    weight: Any = eqx.filter_eval_shape(make, key).weight
    assert weight.shape == (2, 3)
    assert isinstance(weight, jax.ShapeDtypeStruct)


def test_initial_values_are_not_weakly_typed():
    def half(key, shape, dtype):
        return jnp.full(shape, 0.5)

    assert half(key, (2,), None).weak_type
    linear = eqx.nn.Linear(3, 2, key=key, weight_init=half)
    assert not linear.weight.weak_type


def test_what_an_initialiser_returns_must_have_the_right_shape_and_dtype():
    def transposed(key, shape, dtype):
        return jnp.ones(shape[::-1], dtype)

    with pytest.raises(ValueError, match=r"`weight_init`.*\(2, 3\).*float32.*float32\[3,2\]"):
        eqx.nn.Linear(3, 2, key=key, weight_init=transposed)

    def half(key, shape, dtype):
        return jnp.ones(shape, "float16")

    with pytest.raises(ValueError, match=r"`bias_init`.*\(2,\).*float32.*float16\[2\]"):
        eqx.nn.Linear(3, 2, key=key, bias_init=half)
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        eqx.nn.Linear(3, 2, dtype="int32", key=key, weight_init=zeros)


def test_what_makes_an_initialiser_is_not_mistaken_for_one():
    he_normal: Any = jax.nn.initializers.he_normal
    for wrong in he_normal, eqx.nn.out_first(he_normal):
        with pytest.raises(TypeError, match=r"`weight_init`.*must return an array.*`he_normal\(\)`"):
            eqx.nn.Linear(3, 2, key=key, weight_init=wrong)
    array: Any = jnp.ones((2, 3))
    with pytest.raises(TypeError, match=r"`weight_init` must be a function.*float32\[2,3\]"):
        eqx.nn.Linear(3, 2, key=key, weight_init=array)


def test_out_first_shows_the_input_and_output_axes_as_the_last_ones_and_puts_them_first():
    shapes: list[Any] = []

    def count(key, shape, dtype):
        shapes.append(shape)
        return jnp.arange(math.prod(shape), dtype=dtype).reshape(shape)

    initialise = eqx.nn.out_first(count)
    assert jnp.array_equal(initialise(key, (2, 3), np.float32), jnp.arange(6.0).reshape(3, 2).T)
    weight = initialise(key, (2, 3, 4, 5), np.float32)
    assert jnp.array_equal(weight, jnp.arange(120.0).reshape(4, 5, 3, 2).transpose(3, 2, 0, 1))
    assert jnp.array_equal(initialise(key, (4,), np.float32), jnp.arange(4.0))
    assert shapes == [(3, 2), (4, 5, 3, 2), (4,)]


@pytest.mark.parametrize("shape", [(40, 1000), (8, 4, 25, 10)])
def test_fan_in_of_jax_initialisers_is_that_of_the_layer(shape):
    weight = eqx.nn.out_first(jax.nn.initializers.lecun_normal())(key, shape, np.float32)
    assert weight.shape == shape
    np.testing.assert_allclose(jnp.std(weight) * math.sqrt(1000), 1, rtol=0.05)


def test_a_weight_does_not_depend_on_whether_there_is_a_bias():
    key = jax.random.key(0)
    weight, bias = weight_and_bias(key, (3, 2), (3,), 2, True, None, None, None)
    alone, nothing = weight_and_bias(key, (3, 2), (3,), 2, False, None, None, None)
    assert np.array_equal(weight, alone)
    assert bias is not None
    assert bias.shape == (3,)
    assert nothing is None
