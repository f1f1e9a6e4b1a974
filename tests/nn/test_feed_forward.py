"""The two linear layers that a transformer applies to each element of a sequence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
x = jnp.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize(
    "activation", [jax.nn.gelu, jax.nn.softmax, eqx.nn.PReLU(0.1)], ids=["gelu", "softmax", "prelu"]
)
def test_it_computes_what_an_mlp_with_one_hidden_layer_does(activation):
    layer = eqx.nn.FeedForward(3, 5, activation=activation, key=key)
    mlp = eqx.nn.MLP(3, 3, 5, 1, activation, key=key)
    np.testing.assert_allclose(layer(x), mlp(x), rtol=1e-5)


def test_each_linear_layer_has_its_own_part_of_the_key():
    layer = eqx.nn.FeedForward(3, 5, key=key)
    hidden_key, output_key = jax.random.split(key)
    assert eqx.tree_equal(layer.hidden, eqx.nn.Linear(3, 5, key=hidden_key))
    assert eqx.tree_equal(layer.output, eqx.nn.Linear(5, 3, key=output_key))


def test_there_are_four_times_as_many_hidden_neurons_by_default():
    assert eqx.nn.FeedForward(3, key=key).ff_size == 12


def test_hidden_neurons_drop_out():
    layer = eqx.nn.FeedForward(3, 5, 0.5, jnp.tanh, key=key)
    hidden = eqx.nn.Dropout(0.5)(jnp.tanh(layer.hidden(x)), key=key)
    np.testing.assert_allclose(layer(x, key=key), layer.output(hidden), rtol=1e-5)
    with pytest.raises(RuntimeError, match="key"):
        layer(x)
    without = eqx.nn.FeedForward(3, 5, 0.0, jnp.tanh, key=key)(x)
    for spelling in "inference", "deterministic":
        assert jnp.array_equal(layer(x, **{spelling: True}), without)
        assert jnp.array_equal(eqx.nn.FeedForward(3, 5, 0.5, jnp.tanh, **{spelling: True}, key=key)(x), without)


@pytest.mark.parametrize("layer", [eqx.nn.FeedForward, eqx.nn.GatedFeedForward])
@pytest.mark.parametrize("name", ["bias", "use_bias"])
def test_there_may_be_no_biases(layer, name):
    without = layer(3, **{name: False}, key=key)
    assert not without.use_bias
    assert without.hidden.bias is without.output.bias is None


@pytest.mark.parametrize("layer", [eqx.nn.FeedForward, eqx.nn.GatedFeedForward])
def test_initialisers_are_those_of_all_linear_layers(layer):
    def ones(key, shape, dtype):
        return jnp.ones(shape, dtype)

    arrays = jax.tree.leaves(eqx.filter(layer(3, weight_init=ones, bias_init=ones, key=key), eqx.is_array))
    assert all(jnp.all(array == 1) for array in arrays)


@pytest.mark.parametrize("layer", [eqx.nn.FeedForward, eqx.nn.GatedFeedForward])
def test_mistakes_are_errors_that_name_the_argument(layer):
    with pytest.raises(ValueError, match="`size`"):
        layer(-1, key=key)
    with pytest.raises(ValueError, match="`ff_size`"):
        layer(3, 2.5, key=key)
    with pytest.raises(ValueError, match=rf"`x` of `{layer.__name__}` must have shape \(3,\).*jax\.vmap"):
        layer(3, key=key)(jnp.ones((5, 3)))
    with pytest.raises(ValueError, match="`deterministic=True` and `inference=False`"):
        layer(3, key=key)(x, deterministic=True, inference=False)


@pytest.mark.parametrize("layer", [eqx.nn.FeedForward, eqx.nn.GatedFeedForward])
def test_all_is_of_one_dtype_where_promotion_is_strict(layer):
    half = layer(3, dtype="bfloat16", key=key)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert half(x.astype("bfloat16")).dtype == "bfloat16"
    assert half(x).dtype == "float32"
