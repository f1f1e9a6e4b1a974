"""A factor for the loss that adapts itself."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import equinox as eqx

key = jax.random.key(0)


def after(loss_scale, outcomes):
    """The factor after each step, given whether gradients were finite, in a compiled loop."""

    def step(loss_scale, is_finite):
        _, loss_scale = loss_scale.update(is_finite, (), ())
        return loss_scale, (loss_scale.scale, loss_scale.good_steps)

    scales, good_steps = jax.jit(lambda s, xs: jax.lax.scan(step, s, xs)[1])(loss_scale, jnp.asarray(outcomes))
    return scales.tolist(), good_steps.tolist()


def test_it_doubles_after_a_number_of_good_steps_in_a_row_and_halves_after_a_bad_one():
    scales, good_steps = after(eqx.nn.DynamicLossScale(8.0, period=3), [1 > 0, True, True, True, False, True, False])
    assert scales == [8, 8, 16, 16, 8, 8, 4]
    assert good_steps == [1, 2, 0, 1, 0, 1, 0]


def test_it_stays_between_one_and_the_largest_number():
    assert after(eqx.nn.DynamicLossScale(3.0), [False] * 3)[0] == [1.5, 1, 1]
    largest = 2.0**127
    assert after(eqx.nn.DynamicLossScale(largest / 2, period=1), [True] * 3)[0] == [largest, largest, largest]


def test_its_leaves_are_arrays_and_its_defaults_those_of_the_documentation():
    loss_scale = eqx.nn.DynamicLossScale()
    assert [leaf.dtype for leaf in jax.tree.leaves(loss_scale)] == [np.float32, np.int32]
    assert (float(loss_scale.scale), loss_scale.period) == (2**15, 2000)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"initial": 0.5}, "initial"), ({"initial": jnp.inf}, "initial"), ({"initial": jnp.nan}, "initial")]
    + [({"period": period}, "period") for period in (0, -1, 2.5)],
)
def test_a_bad_option_is_an_error_that_names_it(options, name):
    with pytest.raises(ValueError, match=f"`{name}`.*{options[name]}"):
        eqx.nn.DynamicLossScale(**options)


def test_the_loss_is_scaled_with_at_least_32_bits():
    loss_scale = eqx.nn.DynamicLossScale(2.0**14)
    with jax.numpy_dtype_promotion("strict"):
        scaled = loss_scale.scaled(jnp.asarray(100, "float16"))
    assert scaled.dtype == np.float32
    assert scaled == 100 * 2**14


def test_gradients_are_divided_and_keep_their_dtypes():
    loss_scale = eqx.nn.DynamicLossScale(8.0)
    grads = {"half": jnp.full(2, 4, "float16"), "single": jnp.ones(2), "complex": jnp.full(1, 8j), "none": None, "n": 3}
    with jax.numpy_dtype_promotion("strict"):
        unscaled, is_finite = loss_scale.unscaled(grads)
    assert is_finite
    assert unscaled["none"] is None
    assert unscaled["n"] == 3
    for name, value in {"half": 0.5, "single": 1 / 8, "complex": 1j}.items():
        assert unscaled[name].dtype == grads[name].dtype
        assert jnp.array_equal(unscaled[name], jnp.full_like(grads[name], value))


@pytest.mark.parametrize("bad", [jnp.inf, -jnp.inf, jnp.nan])
def test_a_single_entry_that_is_not_finite_is_noticed(bad):
    grads = [jnp.ones(3), jnp.ones((2, 2)).at[1, 0].set(bad)]
    assert not eqx.nn.DynamicLossScale().unscaled(grads)[1]
    assert eqx.nn.DynamicLossScale().unscaled([])[1]


@pytest.mark.parametrize("is_finite", [True, False])
def test_a_bad_step_is_skipped_altogether(is_finite):
    new: Any = {"x": jnp.ones(2), "key": jax.random.key(1), "function": jnp.tanh, "none": None, "flag": True}
    old: Any = {"x": jnp.zeros(2), "key": jax.random.key(2), "function": jnp.tanh, "none": None, "flag": True}
    chosen, _ = eqx.nn.DynamicLossScale().update(jnp.array(is_finite), new, old)
    expected = new if is_finite else old
    assert jnp.array_equal(chosen["x"], expected["x"])
    assert chosen["key"] == expected["key"]
    assert (chosen["function"], chosen["none"], chosen["flag"]) == (jnp.tanh, None, True)


HALF = eqx.nn.Policy(compute="float16")


def loss(model, x):
    return jnp.mean(jax.vmap(model)(x) ** 2)


def test_small_gradients_do_not_vanish_and_large_ones_are_skipped_with_the_optimizer():
    model = eqx.nn.mixed_precision(eqx.nn.Linear(2, 1, use_bias=False, key=key), HALF)
    optimizer = eqx.Optimizer(optax.adam(0.1), model)

    @eqx.filter_jit
    def step(model, optimizer, loss_scale, x):
        grads = eqx.filter_grad(lambda m: loss_scale.scaled(loss(m, x)))(model)
        grads, is_finite = loss_scale.unscaled(grads)
        state, loss_scale = loss_scale.update(is_finite, optimizer.update(grads, model), (model, optimizer))
        return *state, loss_scale, grads

    small, large = jnp.full((1, 2), 1e-4), jnp.full((1, 2), 1e4)
    assert not jax.grad(loss)(model, small).layer.weight.any()  # in half precision, nothing is left of them
    start = eqx.nn.DynamicLossScale(2.0**15)
    trained, state, good, grads = step(model, optimizer, start, small)
    exact = jax.grad(loss)(model.layer, small).weight
    np.testing.assert_allclose(grads.layer.weight, exact, rtol=0.01)
    assert not eqx.tree_equal(trained, model)
    assert good.scale == start.scale

    skipped, skipped_state, bad, _ = step(trained, state, good, large)
    assert eqx.tree_equal(skipped, trained)
    assert eqx.tree_equal(skipped_state, state)
    assert bad.scale == start.scale / 2


def test_it_works_with_optax_alone():
    params = {"w": jnp.array([2.0])}
    transformation = optax.adam(0.1)
    state = transformation.init(params)
    loss_scale = eqx.nn.DynamicLossScale(4.0, period=1)

    @jax.jit
    def step(params, state, loss_scale, factor):
        grads, is_finite = loss_scale.unscaled(
            jax.grad(lambda p: loss_scale.scaled(jnp.sum(factor * p["w"] ** 2)))(params)
        )
        updates, new_state = transformation.update(grads, state, params)
        new = optax.apply_updates(params, updates), new_state
        (params, state), loss_scale = loss_scale.update(is_finite, new, (params, state))
        return params, state, loss_scale

    good = step(params, state, loss_scale, 1.0)
    np.testing.assert_allclose(good[0]["w"], [1.9], rtol=1e-5)
    assert good[2].scale == 8
    bad = step(*good, jnp.inf)
    assert eqx.tree_equal(bad[:2], good[:2])
    assert bad[2].scale == 4
