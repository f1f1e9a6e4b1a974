"""Embeddings of positions by sines and cosines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

Sinusoidal = eqx.nn.SinusoidalPositionalEmbedding


def embedded(positions, size, period=10_000.0):
    """The definition, in double precision."""
    out = np.zeros((len(positions), size))
    for i in range(size // 2):
        angle = np.asarray(positions, "float64") * period ** (-2 * i / size)
        out[:, 2 * i], out[:, 2 * i + 1] = np.sin(angle), np.cos(angle)
    return out


@pytest.mark.parametrize(("size", "period"), [(2, 10_000.0), (6, 10_000.0), (8, 50)])
@pytest.mark.parametrize("positions", [[0, 1, 2, 77], [100_000, -3], [0.5, -1.25]])
def test_it_follows_the_definition_for_integers_and_real_numbers(size, period, positions):
    out = jax.vmap(Sinusoidal(size, period))(jnp.asarray(positions))
    np.testing.assert_allclose(out, embedded(positions, size, period), atol=2e-6)


def test_sines_may_come_first():
    expected = embedded([3], 6)[0]
    found = Sinusoidal(6, interleaved=False)(3)
    np.testing.assert_allclose(found, np.concatenate([expected[::2], expected[1::2]]), atol=1e-6)


@pytest.mark.parametrize("position", [3, 3.0, np.int8(3), np.float32(3), jnp.uint8(3)])
def test_a_position_may_be_any_number(position):
    np.testing.assert_allclose(Sinusoidal(4)(position), embedded([3], 4)[0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_vectors_have_the_dtype_of_the_layer_where_promotion_is_strict(dtype):
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for position in (5000, jnp.int8(3), jnp.float32(0.5), jnp.bfloat16(0.5)):
            out = Sinusoidal(4, dtype=dtype)(position)
            assert out.dtype == dtype
            np.testing.assert_allclose(out.astype("float32"), embedded([float(position)], 4)[0], atol=0.005)


def test_the_default_dtype_is_that_of_jax_at_construction():
    assert Sinusoidal(4).dtype == "float32"
    with jax.enable_x64(True):
        layer = Sinusoidal(4)
        assert layer.dtype == "float64"
        np.testing.assert_allclose(layer(1000), embedded([1000], 4)[0], atol=1e-12)


def test_everything_is_static():
    layer = Sinusoidal(4, 100)
    assert jax.tree.leaves(layer) == []
    assert layer == Sinusoidal(4, 100.0, "float32")
    assert layer != Sinusoidal(4, 100.0, interleaved=False)


@pytest.mark.parametrize("size", [-2, 3, 2.0])
def test_a_bad_size_is_an_error(size):
    with pytest.raises(ValueError, match=f"`embedding_size`.*{size}"):
        Sinusoidal(size)


@pytest.mark.parametrize("period", [0, -1.0, float("nan")])
def test_a_period_that_is_not_positive_is_an_error(period):
    with pytest.raises(ValueError, match=f"`max_period`.*{period}"):
        Sinusoidal(4, period)


def test_a_bad_dtype_is_an_error():
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        Sinusoidal(4, dtype="int32")


def test_a_bad_position_is_an_error():
    with pytest.raises(ValueError, match=r"`x` of `SinusoidalPositionalEmbedding` must have shape \(\).*jax\.vmap"):
        Sinusoidal(4)(jnp.arange(3))
    with pytest.raises(TypeError, match="`x` must be integers or real numbers"):
        Sinusoidal(4)(True)


def test_a_vector_may_have_no_entries():
    assert Sinusoidal(0)(3).shape == (0,)


def test_real_positions_have_a_derivative():
    slope = jax.jacfwd(Sinusoidal(2))(0.5)
    np.testing.assert_allclose(slope, [np.cos(0.5), -np.sin(0.5)], rtol=1e-5)
