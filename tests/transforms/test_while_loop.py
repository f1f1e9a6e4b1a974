"""`filter_while_loop` and `filter_fori_loop` are those of `jax.lax` for carries that hold anything."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


class State(eqx.Module):
    x: typing.Any
    count: typing.Any
    rule: typing.Any
    name: str = eqx.field(static=True, default="state")


def halve(x):
    return x / 2


def body(state):
    return State(state.rule(state.x), state.count + 1, state.rule, state.name)


def is_large(state):
    assert state.name == "name"
    return jnp.all(state.x > 1)


def start(x):
    return State(x, jnp.array(0), halve, "name")


@pytest.mark.parametrize("jit", [lambda f: f, eqx.filter_jit])
def test_steps_are_taken_as_long_as_the_condition_holds(jit):
    state = jit(lambda state: eqx.filter_while_loop(is_large, body, state))(start(jnp.array(10.0)))
    assert state.x == 0.625
    assert state.count == 4
    assert state.rule is halve
    assert state.name == "name"


def test_no_step_is_taken_if_the_condition_is_false_from_the_start():
    assert eqx.filter_while_loop(lambda carry: False, lambda carry: carry, "text") == "text"
    assert eqx.filter_while_loop(is_large, body, start(jnp.array(0.5))).count == 0


def test_loops_can_be_differentiated_forwards():
    def run(x):
        return eqx.filter_while_loop(is_large, body, start(x)).x

    assert jax.jvp(run, (10.0,), (1.0,)) == (0.625, 0.0625)
    with pytest.raises(ValueError, match="everse-mode"):
        jax.grad(run)(10.0)


def test_loops_can_be_vectorised():
    counts = jax.vmap(lambda x: eqx.filter_while_loop(is_large, body, start(x)).count)(jnp.array([0.5, 2.0, 10.0]))
    assert counts.tolist() == [0, 1, 4]


def test_without_jit_each_step_runs_on_concrete_arrays():
    runs = []

    def noted(state):
        runs.append(float(state.x))
        return body(state)

    with jax.disable_jit():
        assert eqx.filter_while_loop(is_large, noted, start(jnp.array(10.0))).count == 4
    assert runs == [10, 5, 2.5, 1.25]


# By numbers


@pytest.mark.parametrize("options", [{}, {"unroll": 2}, {"unroll": True}])
def test_a_loop_over_integers_passes_each(options):
    def add(i, carry):
        return carry | {"sum": carry["sum"] + i}

    assert eqx.filter_fori_loop(2, 5, add, {"sum": jnp.array(0), "name": "text"}, **options) == {
        "sum": 9,
        "name": "text",
    }


def test_bounds_may_be_traced():
    def run(upper):
        return eqx.filter_fori_loop(0, upper, lambda i, carry: (carry[0] + i, "text"), (jnp.array(0), "text"))[0]

    assert jax.jit(run)(5) == 10
    assert jax.vmap(run)(jnp.arange(4)).tolist() == [0, 0, 1, 3]


def test_a_loop_over_integers_that_are_known_can_be_differentiated():
    def run(state):
        return eqx.filter_fori_loop(0, 3, lambda _, state: body(state), state).x

    gradient = eqx.filter_grad(run)(start(jnp.array(8.0)))
    np.testing.assert_allclose(gradient.x, 0.125)
    assert gradient.rule is None


def test_a_loop_over_integers_runs_without_jit():
    with jax.disable_jit():
        assert eqx.filter_fori_loop(0, 3, lambda i, carry: (carry[0] + int(i), "text"), (jnp.array(0), "text"))[0] == 3
