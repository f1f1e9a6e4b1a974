"""Trained embeddings of positions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
Learned = eqx.nn.LearnedPositionalEmbedding
layer = Learned(5, 3, key=key)
embed = jax.jit(jax.vmap(layer))


def test_an_integer_stands_for_a_row_of_the_table():
    assert jnp.array_equal(embed(jnp.arange(5)), layer.weight)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_a_position_outside_stands_for_the_nearest_one_inside(dtype):
    positions = jnp.array([5, 100], dtype)
    assert jnp.array_equal(embed(positions), layer.weight[jnp.array([4, 4])])
    if dtype != "uint8":
        assert jnp.array_equal(embed(-positions), layer.weight[jnp.array([0, 0])])
    assert Learned(300, 1, key=key)(jnp.asarray(100, dtype)).shape == (1,)


def test_between_integers_the_vector_is_interpolated():
    out = embed(jnp.array([0.25, 3.0, 3.5, 4.0, -0.5, 7.25]))
    w = layer.weight
    expected = [0.75 * w[0] + 0.25 * w[1], w[3], (w[3] + w[4]) / 2, w[4], w[0], w[4]]
    np.testing.assert_allclose(out, jnp.stack(expected), rtol=1e-6, atol=1e-8)


def test_the_table_is_normal_with_a_small_deviation_and_drawn_with_the_key_itself():
    assert jnp.array_equal(layer.weight, 0.02 * jax.random.normal(key, (5, 3)))
    assert eqx.tree_equal(Learned(5, 3, key=jax.random.PRNGKey(0)), layer)


def test_another_initialiser_makes_the_table():
    made = Learned(5, 3, "float16", key=key, weight_init=lambda key, shape, dtype: jnp.ones(shape, dtype))
    assert made.weight.dtype == "float16"
    assert jnp.array_equal(made.weight, jnp.ones((5, 3)))
    with pytest.raises(ValueError, match="`weight_init`"):
        Learned(5, 3, key=key, weight_init=lambda key, shape, dtype: jnp.ones(3, dtype))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "complex64"])
def test_vectors_have_the_dtype_of_the_table_where_promotion_is_strict(dtype):
    few = Learned(5, 3, dtype, key=key)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert few(2).dtype == few(jnp.float32(2.5)).dtype == dtype


def test_the_default_dtype_is_that_of_jax_at_construction():
    with jax.enable_x64(True):
        assert Learned(5, 3, key=key).weight.dtype == "float64"


@pytest.mark.parametrize("size", [-1, 2.5])
def test_a_bad_size_is_an_error_that_names_it(size):
    with pytest.raises(ValueError, match=f"`num_positions`.*{size}"):
        Learned(size, 3, key=key)
    with pytest.raises(ValueError, match=f"`embedding_size`.*{size}"):
        Learned(5, size, key=key)


def test_there_must_be_a_position():
    with pytest.raises(ValueError, match="`num_positions` must be at least 1"):
        Learned(0, 3, key=key)


def test_a_bad_dtype_is_an_error():
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        Learned(5, 3, "int32", key=key)


def test_a_bad_position_is_an_error():
    with pytest.raises(ValueError, match=r"`x` of `LearnedPositionalEmbedding` must have shape \(\).*jax\.vmap"):
        layer(jnp.arange(3))
    with pytest.raises(TypeError, match="`x` must be integers or real numbers"):
        layer(1j)


def test_gradients_reach_the_rows_that_were_used():
    gradient = jax.grad(lambda layer: layer(1.25).sum())(layer)
    expected = jnp.zeros((5, 3)).at[1].set(0.75).at[2].set(0.25)
    np.testing.assert_allclose(gradient.weight, expected, rtol=1e-6)


def test_sizes_are_static():
    assert [leaf.shape for leaf in jax.tree.leaves(layer)] == [(5, 3)]
    assert (layer.num_positions, layer.embedding_size) == (5, 3)
