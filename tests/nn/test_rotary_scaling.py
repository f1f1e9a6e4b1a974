"""Slower rotations for longer sequences."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

SIZE, THETA = 16, 10_000.0
frequencies = THETA ** (-2 * np.arange(SIZE // 2) / SIZE)
SCALINGS: list[Any] = [
    eqx.nn.LinearScaling(4.0),
    eqx.nn.NTKScaling(4.0),
    eqx.nn.Llama3Scaling(4.0, 128),
    eqx.nn.YaRNScaling(4.0, 1024),
]


def test_linear_scaling_divides_all_frequencies():
    np.testing.assert_allclose(eqx.nn.LinearScaling(4.0).frequencies(SIZE, THETA), frequencies / 4)


def test_ntk_scaling_raises_the_base_so_that_the_highest_frequency_stays_and_the_lowest_is_divided():
    found = eqx.nn.NTKScaling(4.0).frequencies(SIZE, THETA)
    base = THETA * 4 ** (SIZE / (SIZE - 2))
    np.testing.assert_allclose(found, base ** (-2 * np.arange(SIZE // 2) / SIZE))
    assert found[0] == 1
    np.testing.assert_allclose(found[-1], frequencies[-1] / 4)


@pytest.mark.parametrize(
    ("scaling", "length", "low", "high"),
    [
        (eqx.nn.Llama3Scaling(4.0, 128), 128, 1, 4),
        (eqx.nn.Llama3Scaling(4.0, 8192, 2, 8), 8192, 2, 8),
        (eqx.nn.YaRNScaling(4.0, 1024), 1024, 1, 32),
        (eqx.nn.YaRNScaling(4.0, 4096, 0.5, 3), 4096, 0.5, 3),
    ],
)
def test_scaling_by_parts_divides_slow_rotations_keeps_fast_ones_and_mixes_those_between(scaling, length, low, high):
    found = scaling.frequencies(SIZE, THETA)
    kinds = set()
    for frequency, new in zip(frequencies, found, strict=True):
        rotations = length * frequency / (2 * np.pi)
        if rotations <= low:
            kinds.add("slow")
            expected = frequency / 4
        elif rotations >= high:
            kinds.add("fast")
            expected = frequency
        else:
            kinds.add("between")
            share = (rotations - low) / (high - low)
            expected = (1 - share) * frequency / 4 + share * frequency
        np.testing.assert_allclose(new, expected)
    assert kinds == {"slow", "fast", "between"}


def test_the_defaults_are_those_of_llama_3_1():
    scaling = eqx.nn.Llama3Scaling()
    wavelengths = 2 * np.pi / 500_000.0 ** (-2 * np.arange(64) / 128)
    found = scaling.frequencies(128, 500_000.0) * wavelengths / (2 * np.pi)
    np.testing.assert_allclose(found[wavelengths < 8192 / 4], 1)
    np.testing.assert_allclose(found[wavelengths > 8192], 1 / 8)
    between = found[(wavelengths > 8192 / 4) & (wavelengths < 8192)]
    assert len(between) > 0
    assert ((between > 1 / 8) & (between < 1)).all()


def test_only_yarn_changes_the_magnitude():
    assert [scaling.magnitude for scaling in SCALINGS] == [1, 1, 1, 0.1 * np.log(4) + 1]
    x = jnp.ones((3, 8))
    rope = eqx.nn.RotaryPositionalEmbedding(8, scaling=SCALINGS[-1])
    norms = jnp.linalg.norm(rope(x), axis=1)
    np.testing.assert_allclose(norms, np.sqrt(8) * SCALINGS[-1].magnitude, rtol=1e-5)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_an_embedding_rotates_by_the_scaled_frequencies(scaling):
    x = np.random.default_rng(0).normal(size=(5, SIZE)).astype("float32")
    positions = np.array([0, 1, 7, 1000, 100_000])
    rope = eqx.nn.RotaryPositionalEmbedding(SIZE, THETA, scaling=scaling)
    angles = positions[:, None] * scaling.frequencies(SIZE, THETA)
    points = scaling.magnitude * np.exp(1j * angles) * (x[:, : SIZE // 2] + 1j * x[:, SIZE // 2 :])
    expected = np.concatenate([points.real, points.imag], axis=1)
    np.testing.assert_allclose(rope(jnp.asarray(x), positions=jnp.asarray(positions)), expected, atol=3e-6)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_scaling_is_a_hashable_value_and_does_nothing_by_the_factor_one(scaling):
    options = {field.name: getattr(scaling, field.name) for field in dataclasses.fields(scaling)}
    assert jax.tree.leaves(scaling) == []
    assert scaling == type(scaling)(**options)
    assert hash(scaling) == hash(type(scaling)(**options))
    neutral = type(scaling)(**{**options, "factor": 1.0})
    assert neutral != scaling
    np.testing.assert_allclose(neutral.frequencies(SIZE, THETA), frequencies)
    assert neutral.magnitude == 1
    for size in (0, 2):
        assert scaling.frequencies(size, THETA).shape == (size // 2,)


@pytest.mark.parametrize("make", [type(scaling) for scaling in SCALINGS])
@pytest.mark.parametrize("factor", [0.5, -1, float("nan")])
def test_a_factor_below_one_is_an_error(make, factor):
    rest = {"original_max_len": 8} if make is eqx.nn.YaRNScaling else {}
    with pytest.raises(ValueError, match=f"`factor` must be at least 1, found .*{factor}"):
        make(factor=factor, **rest)


def test_bounds_that_are_out_of_order_and_lengths_below_one_are_an_error():
    with pytest.raises(
        ValueError, match=r"`low_freq_factor`.*less than argument `high_freq_factor`, found 4.0 and 4.0"
    ):
        eqx.nn.Llama3Scaling(low_freq_factor=4.0)
    with pytest.raises(ValueError, match=r"`beta_slow` must not be negative.*`beta_fast`, found -1.0 and 32.0"):
        eqx.nn.YaRNScaling(2.0, 8, beta_slow=-1)
    for make in (eqx.nn.Llama3Scaling, eqx.nn.YaRNScaling):
        with pytest.raises(ValueError, match="`original_max_len` must be at least 1"):
            make(factor=2.0, original_max_len=0)
