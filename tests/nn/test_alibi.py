"""Biases that grow with the distance."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


@pytest.mark.parametrize("num_heads", [1, 2, 3, 8])
def test_the_slopes_are_a_geometric_sequence(num_heads):
    bias = eqx.nn.ALiBi(num_heads)(jnp.array([0]), jnp.array([0, 1]))
    assert bias.shape == (num_heads, 1, 2)
    np.testing.assert_allclose(bias[:, 0, 1], [-(2 ** (-8 * (i + 1) / num_heads)) for i in range(num_heads)], rtol=1e-6)
    np.testing.assert_array_equal(bias[:, 0, 0], 0)


def test_the_bias_is_minus_the_distance_times_the_slope():
    bias = eqx.nn.ALiBi(8)(jnp.array([5, 9]), jnp.arange(12))
    for head in range(8):
        for i, position in enumerate([5, 9]):
            np.testing.assert_allclose(bias[head, i], -(2.0 ** -(head + 1)) * np.abs(position - np.arange(12)))


def test_keys_are_where_queries_are_by_default():
    positions = jnp.array([3, 4, 8])
    alibi = eqx.nn.ALiBi(2)
    assert jnp.array_equal(alibi(positions), alibi(positions, positions))


def test_positions_may_be_real_numbers_or_integers_of_any_dtype():
    alibi = eqx.nn.ALiBi(1)
    expected = -np.abs(np.subtract.outer([1, 250], [3, 2])) / 256
    for dtype in ("uint8", "uint32", "int32", "float32"):
        out = alibi(jnp.array([1, 250], dtype), jnp.array([3, 2], dtype))
        np.testing.assert_allclose(out[0], expected)
    np.testing.assert_allclose(alibi(jnp.array([0.5]), jnp.array([2, 0]))[0], [[-1.5 / 256, -0.5 / 256]])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_only_the_distance_is_rounded_to_the_dtype(dtype):
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        bias = eqx.nn.ALiBi(1, dtype)(10_000 + jnp.arange(3))
    assert bias.dtype == dtype
    np.testing.assert_allclose(bias[0, 0].astype("float32"), [0, -1 / 256, -2 / 256])


def test_attention_prefers_what_is_near():
    x = jnp.zeros((3, 2, 4))  # without the bias all weights are equal
    values = jnp.eye(3)[:, None].repeat(2, axis=1)
    weights = eqx.nn.dot_product_attention(x, x, values, bias=eqx.nn.ALiBi(2)(jnp.arange(3)))
    expected = jax.nn.softmax(-np.abs(np.subtract.outer(range(3), range(3))) / 16)
    np.testing.assert_allclose(weights[:, 0], expected, rtol=1e-6)


def test_everything_is_static():
    number: Any = np.int64(2)
    alibi = eqx.nn.ALiBi(number)
    assert jax.tree.leaves(alibi) == []
    assert type(alibi.num_heads) is int
    assert alibi == eqx.nn.ALiBi(2, "float32")
    assert eqx.nn.ALiBi(0)(jnp.arange(3)).shape == (0, 3, 3)


def test_mistakes_are_errors_that_name_the_argument():
    with pytest.raises(ValueError, match=r"`num_heads`.*-1"):
        eqx.nn.ALiBi(-1)
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        eqx.nn.ALiBi(2, "int32")
    alibi = eqx.nn.ALiBi(2)
    with pytest.raises(ValueError, match=r"`query_positions` of `ALiBi` must have shape \(any,\), found shape \(\)"):
        alibi(jnp.array(3))
    with pytest.raises(ValueError, match=r"`key_positions` of `ALiBi` must have shape \(any,\), found shape \(1, 3\)"):
        alibi(jnp.arange(3), jnp.arange(3)[None])
    with pytest.raises(TypeError, match="`key_positions` must be integers or real numbers"):
        alibi(jnp.arange(3), jnp.ones(3, bool))
