"""Attention with a single head."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn._single_head import dot_product_attention, dot_product_attention_weights

key = jax.random.key(0)
random = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(random.normal(size=shape), "float32")


query, key_, value = normal(3, 2), normal(4, 2), normal(4, 5)
mask = jnp.asarray([[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 0]], bool)


def test_the_parameters_without_a_keyword_are_the_documented_ones():
    def positional(function):
        parameters = inspect.signature(function).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert positional(dot_product_attention_weights) == ["query", "key", "mask"]
    assert positional(dot_product_attention) == ["query", "key_", "value", "mask", "dropout"]
    assert {"key", "inference"} <= set(inspect.signature(dot_product_attention).parameters)


def test_values_are_averaged_with_the_weights_of_which_dropout_drops_some():
    weights = dot_product_attention_weights(query, key_, mask)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert jnp.array_equal(dot_product_attention(query, key_, value, mask), weights @ value)
    dropout = eqx.nn.Dropout(0.5)
    dropped = dot_product_attention(query, key_, value, mask, dropout, key=key)
    np.testing.assert_allclose(dropped, dropout(weights, key=key) @ value, rtol=1e-6)
    kept = dot_product_attention(query, key_, value, mask, dropout, inference=True)
    assert jnp.array_equal(kept, weights @ value)


def test_a_bias_is_added_to_the_scaled_logits_before_they_are_masked():
    bias = normal(3, 4)
    logits = np.where(mask, 0.3 * np.asarray(query) @ np.asarray(key_).T + bias, -np.inf)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weights = dot_product_attention_weights(query, key_, mask, bias=bias, scale=0.3)
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    out = dot_product_attention(query, key_, value, mask, bias=bias, scale=jnp.float32(0.3))
    np.testing.assert_allclose(out, expected @ value, rtol=1e-4, atol=1e-6)


def test_a_bias_is_added_in_the_precision_of_float32_even_to_few_bits():
    bias = jnp.asarray([[1000.0, 1001.0]])
    with jax.numpy_dtype_promotion("strict"):
        weights = dot_product_attention_weights(
            jnp.zeros((1, 2), "bfloat16"), jnp.zeros((2, 2), "bfloat16"), bias=bias.astype("float32")
        )
    assert weights.dtype == "bfloat16"
    np.testing.assert_allclose(weights[0].astype("float32"), jax.nn.softmax(jnp.array([0.0, 1.0])), atol=0.005)


@pytest.mark.parametrize("name", ["mask", "bias"])
@pytest.mark.parametrize("shape", [(3,), (4, 3), (1, 4), (2, 3, 4)])
def test_a_mask_or_bias_of_another_shape_is_an_error(name, shape):
    with pytest.raises(ValueError, match=rf"`{name}` must have shape \(3, 4\), found shape") as info:
        dot_product_attention_weights(query, key_, **{name: jnp.ones(shape, bool if name == "mask" else "float32")})
    assert str(shape) in str(info.value)
