"""Multilayer perceptrons."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("mlp")

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "identity": lambda x: x, "softmax": jax.nn.softmax}


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    depth, activation, final, dtype = case.split("-")
    with jax.enable_x64(dtype == "float64"):
        mlp = eqx.nn.MLP(
            3, 2, 5, int(depth), ACTIVATIONS[activation], ACTIVATIONS[final], dtype=torch["x"].dtype, key=key
        )
        parameters = [torch[f"{name}{i}"] for i in range(int(depth) + 1) for name in ("weight", "bias")]
        mlp = eqx.tree_at(lambda mlp: [p for layer in mlp.layers for p in (layer.weight, layer.bias)], mlp, parameters)
        y = mlp(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("use_final_bias", [True, False])
def test_it_consists_of_linear_layers_each_made_with_its_part_of_the_key(depth, use_bias, use_final_bias):
    mlp = eqx.nn.MLP(3, 2, 5, depth, use_bias=use_bias, use_final_bias=use_final_bias, key=key)
    sizes = [3, *[5] * depth, 2]
    keys = jax.random.split(key, depth + 1)
    assert len(mlp.layers) == depth + 1
    for i, layer in enumerate(mlp.layers):
        bias = use_bias if i < depth else use_final_bias
        assert eqx.tree_equal(layer, eqx.nn.Linear(sizes[i], sizes[i + 1], bias, key=keys[i]))


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
def test_it_follows_the_definition(depth):
    mlp = eqx.nn.MLP(3, 2, 5, depth, jnp.tanh, jnp.cos, key=key)
    x = expected = jnp.arange(3.0)
    for layer in mlp.layers[:-1]:
        expected = jnp.tanh(layer(expected))
    expected = jnp.cos(mlp.layers[-1](expected))
    np.testing.assert_allclose(mlp(x), expected, rtol=1e-5, atol=1e-6)


def test_without_hidden_layers_the_final_activation_still_applies():
    mlp = eqx.nn.MLP(3, 2, 5, 0, final_activation=jax.nn.softmax, key=key)
    np.testing.assert_allclose(mlp(jnp.arange(3.0)).sum(), 1, rtol=1e-6)


def test_options_are_static_plain_values():
    sizes: list[Any] = [np.int64(3), "scalar", np.int8(5), np.uint8(2)]
    mlp = eqx.nn.MLP(*sizes, scan=True, key=key)
    assert (mlp.in_size, mlp.out_size, mlp.width_size, mlp.depth) == (3, "scalar", 5, 2)
    assert type(mlp.in_size) is type(mlp.width_size) is type(mlp.depth) is int
    assert (mlp.use_bias, mlp.use_final_bias, mlp.scan) == (True, True, True)


def test_the_defaults_are_stored_as_they_are():
    mlp = eqx.nn.MLP(2, 2, 3, 1, key=key)
    assert mlp.activation is jax.nn.relu
    x = jnp.ones(2)
    assert mlp.final_activation(x) is x


@pytest.mark.parametrize("argument", ["in_size", "out_size", "width_size", "depth"])
@pytest.mark.parametrize("value", [-1, 1.5, "vector"])
def test_a_bad_size_is_an_error_that_names_it(argument, value):
    sizes: dict[str, Any] = {"in_size": 2, "out_size": 2, "width_size": 3, "depth": 1, argument: value}
    with pytest.raises(ValueError, match=f"`{argument}`.*{value}"):
        eqx.nn.MLP(**sizes, key=key)


@pytest.mark.parametrize("in_size", [3, "scalar"])
@pytest.mark.parametrize("out_size", [3, "scalar"])
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("activation", [jnp.tanh, eqx.nn.PReLU()])
@pytest.mark.parametrize("scan", [False, True])
def test_inputs_and_outputs_may_be_scalars(in_size, out_size, depth, activation, scan):
    mlp = eqx.nn.MLP(in_size, out_size, 5, depth, activation, activation, scan=scan, key=key)
    shape = () if in_size == "scalar" else (3,)
    assert mlp(jnp.ones(shape)).shape == (() if out_size == "scalar" else (3,))


def test_the_final_activation_of_a_scalar_output_is_called_with_a_scalar():
    shapes = []

    def activation(x):
        shapes.append(x.shape)
        return x

    eqx.nn.MLP(3, "scalar", 5, 1, final_activation=activation, key=key)(jnp.ones(3))
    assert shapes == [()]


# --- activations ------------------------------------------------------------------------------------------------------


def slopes_of(mlp: Any) -> list[Any]:
    return [mlp.activation.negative_slope, mlp.final_activation.negative_slope]


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("scan", [False, True])
def test_every_neuron_has_its_own_copy_of_a_learnt_activation(depth, scan):
    mlp = eqx.nn.MLP(3, 2, 5, depth, eqx.nn.PReLU(0.1), eqx.nn.PReLU(0.2), scan=scan, key=key)
    slopes = slopes_of(mlp)
    assert [slope.shape for slope in slopes] == [(depth, 5), (2,)]
    random = np.random.default_rng(0)
    slopes = [jnp.asarray(random.normal(size=slope.shape), "float32") for slope in slopes]
    mlp = eqx.tree_at(slopes_of, mlp, slopes)

    plain = eqx.nn.MLP(3, 2, 5, depth, key=key)
    x = expected = jnp.arange(3.0)
    for i, layer in enumerate(plain.layers):
        expected = layer(expected)
        expected = jnp.where(expected >= 0, expected, (slopes[0][i] if i < depth else slopes[1]) * expected)
    np.testing.assert_allclose(mlp(x), expected, rtol=1e-5, atol=1e-6)


def test_a_learnt_activation_of_a_scalar_output_is_not_copied():
    prelu = eqx.nn.PReLU()
    mlp = eqx.nn.MLP(3, "scalar", 5, 1, final_activation=prelu, key=key)
    assert mlp.final_activation == prelu
    assert mlp(jnp.ones(3)).shape == ()


def test_learnt_activations_are_trained():
    mlp = eqx.nn.MLP(3, 2, 5, 2, eqx.nn.PReLU(), eqx.nn.PReLU(), key=key)
    gradient = eqx.filter_grad(lambda mlp, x: jax.vmap(mlp)(x).sum())(mlp, jax.random.normal(key, (20, 3)))
    assert jnp.any(gradient.activation.negative_slope != 0, axis=1).all()
    assert jnp.any(gradient.final_activation.negative_slope != 0)


def test_an_activation_of_the_whole_vector():
    mlp = eqx.nn.MLP(3, 4, 5, 2, jax.nn.softmax, jax.nn.log_softmax, key=key)
    x = jnp.arange(3.0)
    first, second, last = mlp.layers
    expected = jax.nn.log_softmax(last(jax.nn.softmax(second(jax.nn.softmax(first(x))))))
    np.testing.assert_allclose(mlp(x), expected, rtol=1e-5)
    np.testing.assert_allclose(jnp.exp(mlp(x)).sum(), 1, rtol=1e-5)


def test_an_activation_of_scalars_only():
    def rectify(x):
        return jax.lax.cond(x > 0, lambda x: x, jnp.zeros_like, x)

    rectified = eqx.nn.MLP(3, 4, 5, 2, rectify, rectify, key=key)
    expected = eqx.nn.MLP(3, 4, 5, 2, jax.nn.relu, jax.nn.relu, key=key)
    x = jnp.arange(3.0)
    np.testing.assert_allclose(rectified(x), expected(x), rtol=1e-6)


class LeakyRelu(eqx.Module):
    slope: float

    def __call__(self, x):
        return jnp.where(x >= 0, x, self.slope * x)


@pytest.mark.parametrize("scan", [False, True])
def test_an_activation_with_a_number_is_shared_even_where_the_number_is_traced(scan):
    mlp = eqx.nn.MLP(3, 4, 5, 3, LeakyRelu(0.1), LeakyRelu(0.2), scan=scan, key=key)
    assert (mlp.activation, mlp.final_activation) == (LeakyRelu(0.1), LeakyRelu(0.2))
    x = jnp.arange(3.0)
    compiled = eqx.jitf(lambda mlp, x: mlp(x), filter_fn=eqx.is_array_like)
    np.testing.assert_allclose(compiled(mlp, x), mlp(x), rtol=1e-5, atol=1e-6)


# --- scan -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [jnp.tanh, eqx.nn.PReLU()])
def test_scanning_stores_the_same_numbers_and_computes_the_same(depth, use_bias, activation):
    looped, scanned = (
        eqx.nn.MLP(3, 2, 5, depth, activation, use_bias=use_bias, scan=scan, key=key) for scan in (False, True)
    )
    if depth == 0:
        assert eqx.tree_equal(scanned.layers, looped.layers)
    else:
        first, stacked, last = scanned.layers
        assert isinstance(stacked, eqx.nn.Linear)
        assert stacked.weight.shape == (depth - 1, 5, 5)
        assert eqx.tree_equal((first, last), (looped.layers[0], looped.layers[-1]))
        for i, layer in enumerate(looped.layers[1:-1]):
            assert eqx.tree_equal(jax.tree.map(lambda x, i=i: x[i], stacked), layer)
        assert (stacked.bias is not None) is use_bias
    x = jnp.arange(3.0)
    np.testing.assert_allclose(scanned(x), looped(x), rtol=1e-6)


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg"])
def test_scanning_stores_the_same_numbers_for_every_kind_of_key(implementation):
    # For some kinds, drawing under `vmap` would give others.
    key = jax.random.key(0, impl=implementation)
    looped, scanned = (eqx.nn.MLP(3, 2, 5, 3, scan=scan, key=key) for scan in (False, True))
    stacked = scanned.layers[1].weight
    assert jnp.array_equal(stacked, jnp.stack([layer.weight for layer in looped.layers[1:-1]]))


@pytest.mark.parametrize("depth", [2, 6])
def test_the_size_of_a_scanned_program_is_independent_of_the_depth(depth):
    mlp = eqx.nn.MLP(3, 2, 5, depth, jnp.tanh, scan=True, key=key)
    jaxpr = str(jax.make_jaxpr(jax.vmap(mlp))(jnp.ones((1, 3))))
    assert jaxpr.count("dot_general") == 3


def test_gradients_are_the_same_with_and_without_scanning():
    def gradient(scan):
        mlp = eqx.nn.MLP(3, 2, 5, 4, jnp.tanh, scan=scan, key=key)
        return eqx.filter_grad(lambda mlp, x: mlp(x).sum())(mlp, jnp.arange(3.0))

    looped, scanned = gradient(False), gradient(True)
    expected = jnp.stack([layer.weight for layer in looped.layers[1:-1]])
    np.testing.assert_allclose(scanned.layers[1].weight, expected, rtol=1e-5, atol=1e-6)
