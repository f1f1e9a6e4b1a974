"""Averages of a model over its training."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
random = np.random.default_rng(0)
VALUES = random.normal(size=(6, 3)).astype("float32")


def averaged(average, values, start=VALUES[0] * 100):
    """The value after each step, calculated in a compiled loop."""

    def step(average, x):
        average = average.update({"x": x})
        return average, average.value()["x"]

    return jax.jit(lambda xs: jax.lax.scan(step, average.init({"x": jnp.asarray(start)}), xs)[1])(values)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.99])
def test_after_each_step_it_is_the_weighted_mean_of_the_steps_so_far(decay):
    values = averaged(eqx.nn.ExponentialMovingAverage(decay), VALUES)
    for n in range(1, len(VALUES) + 1):
        weights = decay ** np.arange(n - 1, -1, -1.0)
        expected = weights @ VALUES[:n].astype("float64") / weights.sum()
        np.testing.assert_allclose(values[n - 1], expected, rtol=1e-5, atol=1e-6)


def test_without_debiasing_the_model_at_the_start_counts():
    values = averaged(eqx.nn.ExponentialMovingAverage(0.9, debias=False), VALUES, start=10 * VALUES[0])
    expected = 10 * VALUES[0].astype("float64")
    for x, value in zip(VALUES, values, strict=True):
        expected = 0.9 * expected + 0.1 * x
        np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("debias", [True, False])
def test_with_warmup_early_steps_are_forgotten_sooner(debias):
    values = averaged(eqx.nn.ExponentialMovingAverage(0.3, debias, warmup=True), VALUES, start=VALUES[0])
    mean, total = (0.0, 0.0) if debias else (VALUES[0].astype("float64"), 1.0)
    for n, (x, value) in enumerate(zip(VALUES, values, strict=True), 1):
        decay = min(0.3, n / (n + 9))
        mean, total = decay * mean + (1 - decay) * x, decay * total + (1 - decay)
        np.testing.assert_allclose(value, mean / total, rtol=1e-5, atol=1e-6)
    assert 4 / 13 > 0.3  # so that both cases occur


def test_a_slow_average_is_exact_for_a_value_that_never_changes():
    x = {"x": jnp.array([0.1, 1e30, -3.0])}
    average = eqx.nn.ExponentialMovingAverage(0.9999).init(x)
    update = jax.jit(lambda average: average.update(x))
    for _ in range(5):
        average = update(average)
        assert jnp.array_equal(average.value()["x"], x["x"])


def test_before_the_first_step_it_is_the_model_and_afterwards_nothing_of_that_is_left():
    start = {"x": jnp.array([jnp.nan, jnp.inf])}
    average = eqx.nn.ExponentialMovingAverage(0.9).init(start)
    assert jnp.array_equal(average.value()["x"], start["x"], equal_nan=True)
    assert jnp.array_equal(average.update({"x": jnp.ones(2)}).value()["x"], jnp.ones(2))


def test_what_is_no_parameter_is_that_of_the_last_step():
    class Model(eqx.Module):
        weight: jax.Array
        count: jax.Array
        key: jax.Array
        constant: Any
        activation: Any
        rate: float
        name: str = eqx.field(static=True)

    def make(i):
        return Model(jnp.full(2, float(i)), jnp.array(i), jax.random.key(i), np.ones(2) * i, jnp.tanh, 0.5 * i, "name")

    average = eqx.nn.ExponentialMovingAverage(0.5).init(make(0)).update(make(1)).update(make(2))
    value = average.value()
    assert eqx.tree_equal(eqx.tree_at(lambda m: m.weight, value, make(2).weight), make(2))
    np.testing.assert_allclose(value.weight, [5 / 3, 5 / 3], rtol=1e-6)
    assert isinstance(value.constant, np.ndarray)


def test_its_leaves_are_arrays_and_its_structure_is_kept_so_that_it_is_carried_through_loops():
    def make(key):
        return eqx.nn.MLP(1, 1, 2, 1, key=key)

    average = eqx.nn.ExponentialMovingAverage(0.9, warmup=True).init(make(key))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(average))
    types = jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), average)

    @jax.jit
    def run(average, keys):
        return jax.lax.scan(lambda average, key: (average.update(make(key)), None), average, keys)[0]

    after = run(average, jax.random.split(key, 3))
    assert jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), after) == types
    assert after.value().activation is jax.nn.relu
    weights = jnp.stack([make(k).layers[0].weight for k in jax.random.split(key, 3)])
    mean = after.value().layers[0].weight
    assert ((jnp.min(weights, 0) < mean) & (mean < jnp.max(weights, 0))).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "complex64"])
def test_averages_are_kept_in_single_precision_and_returned_in_that_of_the_model(dtype):
    start, later = jnp.ones(2, dtype), jnp.full(2, 2, dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        average = eqx.nn.ExponentialMovingAverage(0.999, debias=False).init(start)
        update = jax.jit(lambda average: jax.lax.fori_loop(0, 1000, lambda _, a: a.update(later), average))
        value = update(average).value()
    assert value.dtype == dtype
    np.testing.assert_allclose(value.astype("complex64"), 2 - 0.999**1000, rtol=0.01)


def test_double_precision_is_double_throughout():
    with jax.enable_x64(True):
        average = eqx.nn.ExponentialMovingAverage(0.9).init(jnp.ones(()))
        for x in [1 / 3, 0.2, 0.7]:
            average = average.update(jnp.asarray(x))
        expected = (0.81 / 3 + 0.9 * 0.2 + 0.7) / (0.81 + 0.9 + 1)
        assert average.value().dtype == np.float64
        np.testing.assert_allclose(average.value(), expected, rtol=1e-14)


def test_the_model_may_be_donated_after_the_start():
    model = {"x": jnp.ones(3)}
    average = eqx.nn.ExponentialMovingAverage(0.9).init(model)
    model["x"].delete()
    assert jnp.array_equal(average.value()["x"], jnp.ones(3))


def test_another_structure_or_shape_is_an_error_that_names_the_leaf():
    average = eqx.nn.ExponentialMovingAverage(0.9).init({"a": jnp.ones(2), "b": [jnp.ones(3)]})
    wrong: Any = {"a": jnp.ones(2), "b": (jnp.ones(3),)}
    with pytest.raises(ValueError, match=r"`model`.*\['b'\].*tuple.*list"):
        average.update(wrong)
    with pytest.raises(ValueError, match=r"`model`.*\['b'\]\[0\].*float32\[4\].*\(3,\)"):
        average.update({"a": jnp.ones(2), "b": [jnp.ones(4)]})


def test_it_must_be_started_first():
    average = eqx.nn.ExponentialMovingAverage(0.9)
    for use in (average.value, lambda: average.update(None)):
        with pytest.raises(ValueError, match=r"average\.init\(model\)"):
            use()


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5])
def test_a_decay_that_is_out_of_range_is_an_error(decay):
    with pytest.raises(ValueError, match=f"`decay`.*{decay}"):
        eqx.nn.ExponentialMovingAverage(decay)


def test_it_survives_a_round_trip_to_a_file(tmp_path):
    average = eqx.nn.ExponentialMovingAverage(0.9).init(jnp.ones(2)).update(jnp.array([2.0, 3.0]))
    eqx.tree_serialise_leaves(tmp_path / "average.eqx", average)
    like = eqx.nn.ExponentialMovingAverage(0.9).init(jnp.zeros(2))
    assert eqx.tree_equal(eqx.tree_deserialise_leaves(tmp_path / "average.eqx", like), average)
