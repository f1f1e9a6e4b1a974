"""Rotations of the vectors of a sequence."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx

Rotary = eqx.nn.RotaryPositionalEmbedding
random = np.random.default_rng(0)


def rotated(x, positions=None, theta=10_000.0):
    """The definition, in double precision."""
    length, size = x.shape
    positions = np.arange(length) if positions is None else np.asarray(positions)
    angles = positions[:, None] * theta ** (-2.0 * np.arange(size // 2) / size)
    points = np.exp(1j * angles) * (x[:, : size // 2] + 1j * x[:, size // 2 :])
    return np.concatenate([points.real, points.imag], axis=1)


@pytest.mark.parametrize("size", [2, 4, 6, 64])
@pytest.mark.parametrize("theta", [10_000.0, 500_000.0, 7, 0.5])
def test_it_follows_the_definition(size, theta):
    x = random.normal(size=(9, size)).astype("float32")
    np.testing.assert_allclose(Rotary(size, theta)(jnp.asarray(x)), rotated(x, theta=theta), atol=2e-6)


def test_the_example_that_can_be_computed_by_hand():
    expected = [[1, 1], [np.cos(1) - np.sin(1), np.cos(1) + np.sin(1)]]
    np.testing.assert_allclose(Rotary(2)(jnp.ones((2, 2))), expected, rtol=1e-6)


@pytest.mark.parametrize("first", [0, 5000, 2**20, -5000])
def test_angles_are_accurate_at_large_positions(first):
    positions = np.arange(first, first + 50)
    x = np.concatenate([np.ones((50, 32)), np.zeros((50, 32))], axis=1).astype("float32")
    out = Rotary(64)(jnp.asarray(x), positions=jnp.asarray(positions))
    np.testing.assert_allclose(out, rotated(x, positions), atol=1e-6, rtol=0)


def test_angles_have_double_precision_where_that_is_the_default():
    with jax.enable_x64(True):
        x = random.normal(size=(5000, 4))
        layer = Rotary(4)
        assert layer.dtype == "float64"
        np.testing.assert_allclose(layer(jnp.asarray(x)), rotated(x), atol=1e-10)


def test_each_layer_has_its_own_theta():
    x = jnp.asarray(random.normal(size=(6, 8)), "float32")
    first, second = Rotary(8, 10_000.0), Rotary(8, 100.0)
    for layer in (first, second, first):
        np.testing.assert_allclose(layer(x), rotated(x, theta=layer.theta), atol=2e-6)
    assert not jnp.allclose(first(x), second(x))
    compiled = jax.jit(lambda layer, x: layer(x))
    assert not jnp.allclose(compiled(first, x), compiled(second, x))


@pytest.mark.parametrize("lengths", [(3, 8), (8, 3)])
def test_results_are_independent_of_the_lengths_seen_before(lengths):
    x = jnp.asarray(random.normal(size=(8, 4)), "float32")
    layer = Rotary(4)
    for length in lengths:
        jax.jit(layer)(x[:length])
        np.testing.assert_allclose(layer(x[:length]), rotated(x)[:length], atol=1e-6)


def test_products_depend_on_distances_only():
    q, k = jnp.asarray(random.normal(size=(2, 1, 16)), "float32")
    layer = Rotary(16)

    def product(i, j):
        return layer(q, positions=jnp.array([i])) @ layer(k, positions=jnp.array([j])).T

    np.testing.assert_allclose(product(3, 10), product(40, 47), rtol=1e-5)
    assert not np.allclose(product(3, 10), product(3, 11), rtol=1e-2)


def test_positions_may_be_given_and_traced():
    x = jnp.asarray(random.normal(size=(4, 6)), "float32")
    layer = Rotary(6)
    continued = jax.jit(lambda x, start: layer(x, positions=start + jnp.arange(2)))
    np.testing.assert_allclose(continued(x[2:], 2), layer(x)[2:], rtol=1e-6)
    for dtype in ("int8", "uint8", "int32", "uint32"):
        np.testing.assert_allclose(
            layer(x, positions=jnp.array([7, 0, 0, 3], dtype)), rotated(x, [7, 0, 0, 3]), atol=1e-6
        )


def test_consecutive_positions_may_start_at_an_offset():
    x = jnp.asarray(random.normal(size=(4, 6)), "float32")
    layer = Rotary(6)
    continued = jax.jit(lambda x, offset: layer(x, offset=offset))
    for offset in (0, 7, 10_000, jnp.int8(100), jnp.uint32(3)):
        expected = rotated(x, int(offset) + np.arange(4))
        np.testing.assert_allclose(continued(x, offset), expected, atol=2e-6)
        np.testing.assert_allclose(layer(x, offset=offset), expected, atol=2e-6)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        assert layer(x, offset=jnp.int32(2)).dtype == "float32"


def test_positions_may_be_real_numbers():
    x = jnp.asarray(random.normal(size=(4, 6)), "float32")
    positions = [0.0, 0.5, -1.25, 30.75]
    np.testing.assert_allclose(Rotary(6)(x, positions=jnp.array(positions)), rotated(x, positions), atol=1e-5)
    np.testing.assert_allclose(Rotary(6)(x, offset=0.5), rotated(x, 0.5 + np.arange(4)), atol=1e-5)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("rotary_size", [8, 4, 0])
def test_pairs_may_be_neighbours_and_only_some_entries_be_rotated(interleaved, rotary_size):
    x = random.normal(size=(5, 8)).astype("float32")
    part = x[:, :rotary_size]
    if interleaved:
        angles = np.arange(5)[:, None] * 10_000.0 ** (-2.0 * np.arange(rotary_size // 2) / max(rotary_size, 1))
        points = np.exp(1j * angles) * (part[:, ::2] + 1j * part[:, 1::2])
        expected = np.stack([points.real, points.imag], axis=2).reshape(5, rotary_size)
    else:
        expected = rotated(part) if rotary_size > 0 else part
    layer = Rotary(8, rotary_size=rotary_size, interleaved=interleaved)
    out = jax.jit(layer)(jnp.asarray(x))
    np.testing.assert_allclose(out, np.concatenate([expected, x[:, rotary_size:]], axis=1), atol=2e-6)
    assert layer(jnp.asarray(x, "bfloat16")).dtype == "bfloat16"


@pytest.mark.parametrize("size", [3, -2, 2.5])
def test_the_number_of_rotated_entries_must_be_even(size):
    with pytest.raises(ValueError, match=f"`rotary_size` must be .*{size}"):
        Rotary(8, rotary_size=size)


def test_no_more_entries_than_there_are_can_be_rotated():
    with pytest.raises(ValueError, match=r"`rotary_size` must not exceed argument `embedding_size`, found 6 and 5"):
        Rotary(5, rotary_size=6)
    assert Rotary(5, rotary_size=4)(jnp.ones((3, 5))).shape == (3, 5)


def test_wrong_positions_are_an_error():
    x = jnp.ones((3, 4))
    with pytest.raises(ValueError, match=r"`positions`.*\(3,\).*\(2,\)"):
        Rotary(4)(x, positions=jnp.arange(2))
    with pytest.raises(TypeError, match=r"`positions` must be integers or real numbers, found .*bool\[3\]"):
        Rotary(4)(x, positions=jnp.ones(3, bool))
    with pytest.raises(ValueError, match=r"`offset` of .* must have shape \(\), found shape \(1,\)"):
        Rotary(4)(x, offset=jnp.array([1]))
    with pytest.raises(TypeError, match=r"`offset` must be integers or real numbers"):
        Rotary(4)(x, offset=True)
    with pytest.raises(ValueError, match=r"`positions`.*`offset` are both given"):
        Rotary(4)(x, positions=jnp.arange(3), offset=0)


@pytest.mark.parametrize("shape", [(3, 5), (3, 2), (4,), (2, 3, 4)])
def test_a_wrong_shape_is_an_error(shape):
    with pytest.raises(ValueError, match=r"`x` of `RotaryPositionalEmbedding` must have shape \(any, 4\)") as info:
        Rotary(4)(jnp.ones(shape))
    assert ("jax.vmap" in str(info.value)) == (len(shape) == 3)


@pytest.mark.parametrize("size", [-2, 3, 2.0, "scalar"])
def test_a_bad_size_is_an_error_that_names_it(size):
    with pytest.raises(ValueError, match=f"`embedding_size`.*{size}"):
        Rotary(size)


@pytest.mark.parametrize("theta", [0, -1.0, float("nan")])
def test_a_base_that_is_not_positive_is_an_error(theta):
    with pytest.raises(ValueError, match=f"`theta`.*{theta}"):
        Rotary(4, theta)


def test_an_integer_dtype_is_an_error():
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        Rotary(4, dtype="int32")


@pytest.mark.parametrize("shape", [(3, 0), (0, 4)])
def test_sequences_and_vectors_may_be_empty(shape):
    assert Rotary(shape[1])(jnp.ones(shape)).shape == shape


def test_everything_is_static():
    size: Any = np.int64(4)
    layer = Rotary(size, 100)
    assert jax.tree.leaves(layer) == []
    assert type(layer.embedding_size) is int
    assert type(layer.theta) is float
    assert layer.dtype == jnp.float32
    assert layer == Rotary(4, 100.0, "float32")
    assert hash(layer) == hash(Rotary(4, 100.0, jnp.float32))
    assert layer != Rotary(4, 100.0, jnp.bfloat16)
    assert layer != Rotary(4, 100.0, interleaved=True)
    scaled = Rotary(4, 100.0, scaling=eqx.nn.LinearScaling(2.0))
    assert layer != scaled
    assert scaled == Rotary(4, 100.0, scaling=eqx.nn.LinearScaling(2.0))
    assert hash(scaled) == hash(Rotary(4, 100.0, scaling=eqx.nn.LinearScaling(2.0)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_results_have_the_dtype_of_the_input(dtype):
    x = jnp.asarray(random.normal(size=(5, 4)), dtype)
    expected = rotated(np.asarray(x, "float64"))
    for layer in (Rotary(4), Rotary(4, dtype=dtype)):
        out = layer(x)
        assert out.dtype == dtype
        np.testing.assert_allclose(out.astype("float32"), expected, atol=4 * float(jnp.finfo(dtype).eps))


def test_sines_of_few_bits_are_rounded_only_at_the_end():
    x = jnp.ones((400, 2), "bfloat16")
    np.testing.assert_allclose(Rotary(2, dtype="bfloat16")(x).astype("float32"), rotated(np.ones((400, 2))), atol=0.03)


def test_where_promotion_is_strict_the_dtypes_have_to_agree():
    x = jnp.ones((3, 4), "bfloat16")
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert Rotary(4, dtype="bfloat16")(x).dtype == "bfloat16"
        assert Rotary(4, dtype="bfloat16")(x, positions=jnp.arange(3)).dtype == "bfloat16"
        with pytest.raises(ValueError, match="dtype promotion"):
            Rotary(4)(x)


def test_a_vector_times_its_right_angle_is_zero():
    x = jnp.asarray(random.normal(size=(2, 3, 6)), "float32")
    turned = Rotary.rotate_half(x)
    assert jnp.array_equal(turned, jnp.concatenate([-x[..., 3:], x[..., :3]], axis=-1))
    np.testing.assert_allclose((x * turned).sum(-1), 0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_table_of_cosines_and_sines_can_be_had(dtype):
    cos, sin = Rotary.precompute_freqs_cis(8, 5, 100.0, dtype)
    assert cos.dtype == sin.dtype == dtype
    angles = np.arange(5)[:, None] * 100.0 ** (-np.arange(4) / 4)
    np.testing.assert_allclose(cos.astype("float32"), np.cos(angles), atol=float(jnp.finfo(dtype).eps) * 4)
    np.testing.assert_allclose(sin.astype("float32"), np.sin(angles), atol=float(jnp.finfo(dtype).eps) * 4)


def test_heads_and_batches_are_rotated_by_vmap_whatever_the_key():
    x = jnp.asarray(random.normal(size=(5, 3, 4)), "float32")
    layer = Rotary(4)
    heads = jax.jit(jax.vmap(layer, in_axes=1, out_axes=1))(x)
    for i in range(3):
        np.testing.assert_allclose(heads[:, i], layer(x[:, i], key=jax.random.key(0)), atol=1e-6)


def test_derivatives_agree_with_finite_differences():
    with jax.enable_x64(True):
        check_grads(Rotary(4), (jnp.asarray(random.normal(size=(3, 4))),), order=1, modes=["fwd", "rev"])
