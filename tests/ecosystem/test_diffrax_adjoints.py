"""Diffrax: derivatives of solutions of differential equations, in each of the ways that there are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import equinox as eqx

dfx = pytest.importorskip("diffrax")
optx = pytest.importorskip("optimistix")

slow = pytest.mark.slow
RATE = 0.7
START = 1.5


def solve(rate, start, adjoint, *, solver=None, controller=None, **options):
    """Exponential decay until time 1."""
    return dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, rate: -rate * y),
        solver or dfx.Tsit5(),
        0.0,
        1.0,
        0.05,
        start,
        rate,
        adjoint=adjoint,
        stepsize_controller=controller or dfx.ConstantStepSize(),
        **options,
    )


FINAL = START * np.exp(-RATE)
SLOPES = np.array([-FINAL, FINAL / START])
HESSIAN = np.array([[FINAL, -FINAL / START], [-FINAL / START, 0.0]])

BACKWARDS = {
    "recursive checkpoints": dfx.RecursiveCheckpointAdjoint,
    "3 checkpoints": lambda: dfx.RecursiveCheckpointAdjoint(checkpoints=3),
    "direct": dfx.DirectAdjoint,
    "backsolve": dfx.BacksolveAdjoint,
}


@pytest.mark.parametrize("name", BACKWARDS)
def test_reverse_mode(name: str) -> None:
    def final(parameters):
        rate, start = parameters
        return solve(rate, start, BACKWARDS[name](), max_steps=32).ys[0]

    value, slopes = jax.jit(jax.value_and_grad(final))(jnp.array([RATE, START]))
    np.testing.assert_allclose(value, FINAL, rtol=1e-7)
    np.testing.assert_allclose(slopes, SLOPES, rtol=1e-6)


@pytest.mark.parametrize("name", ["forward mode", "direct"])
def test_forward_mode(name: str) -> None:
    adjoint = {"forward mode": dfx.ForwardMode, "direct": dfx.DirectAdjoint}[name]()

    def final(parameters):
        rate, start = parameters
        return solve(rate, start, adjoint, max_steps=32).ys[0]

    slopes = jax.jit(jax.jacfwd(final))(jnp.array([RATE, START]))
    np.testing.assert_allclose(slopes, SLOPES, rtol=1e-6)


def test_forward_mode_is_not_for_reverse_mode_nor_the_other_way_round() -> None:
    with pytest.raises(Exception, match=r"(?i)reverse-mode"):
        jax.grad(lambda rate: solve(rate, START, dfx.ForwardMode()).ys[0])(RATE)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda rate: solve(rate, START, dfx.RecursiveCheckpointAdjoint()).ys[0], (RATE,), (1.0,))


@slow
def test_second_derivatives_forwards_over_backwards() -> None:
    def final(parameters):
        rate, start = parameters
        return solve(rate, start, dfx.DirectAdjoint(), max_steps=32, solver=dfx.Heun()).ys[0]

    hessian = jax.jit(jax.jacfwd(jax.grad(final)))(jnp.array([RATE, START]))
    np.testing.assert_allclose(hessian, HESSIAN, rtol=1e-2, atol=1e-6)


def test_second_derivatives_backwards_over_backwards() -> None:
    def final(rate):
        return solve(rate, START, dfx.RecursiveCheckpointAdjoint(), max_steps=32, solver=dfx.Heun()).ys[0]

    def slope(rate):
        return jax.grad(final)(rate)

    h = 1e-4
    np.testing.assert_allclose((slope(RATE + h) - slope(RATE - h)) / (2 * h), FINAL, rtol=1e-2)


@pytest.mark.parametrize(
    "name", ["recursive checkpoints", *(pytest.param(name, marks=slow) for name in ("direct", "backsolve"))]
)
def test_gradients_through_adaptive_steps_and_saved_times_in_a_batch(name: str) -> None:
    times = jnp.linspace(0.0, 1.0, 4)
    weights = jnp.arange(1.0, 5.0)

    def total(rate):
        controller = dfx.PIDController(rtol=1e-8, atol=1e-10)
        solution = solve(
            rate, START, BACKWARDS[name](), controller=controller, saveat=dfx.SaveAt(ts=times), max_steps=256
        )
        return jnp.sum(weights * solution.ys)

    rates = jnp.array([0.3, 1.1])
    slopes = jax.jit(jax.vmap(jax.grad(total)))(rates)
    expected = np.sum(-weights * times * START * np.exp(-rates[:, None] * times), axis=1)
    np.testing.assert_allclose(slopes, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["recursive checkpoints", pytest.param("direct", marks=slow)])
def test_gradients_through_a_stiff_solver(name: str) -> None:
    # y' = -1000 (y - a t), so y is about a (t - 1/1000) soon.
    def final(slope):
        solution = dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, slope: -1000 * (y - slope * t)),
            dfx.Kvaerno3(),
            0.0,
            1.0,
            1e-3,
            0.0,
            slope,
            adjoint=BACKWARDS[name](),
            stepsize_controller=dfx.PIDController(rtol=1e-7, atol=1e-9),
            max_steps=256,
        )
        return solution.ys[0]

    value, derivative = jax.jit(jax.value_and_grad(final))(2.0)
    np.testing.assert_allclose(value, 2 * 0.999, rtol=1e-5)
    np.testing.assert_allclose(derivative, 0.999, rtol=1e-5)


def test_the_implicit_derivative_of_a_steady_state() -> None:
    def steady(parameters):
        solution = dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, parameters: parameters[0] - parameters[1] * y**3),
            dfx.Tsit5(),
            0.0,
            jnp.inf,
            0.05,
            1.0,
            parameters,
            adjoint=dfx.ImplicitAdjoint(),
            event=dfx.Event(dfx.steady_state_event(rtol=1e-10, atol=1e-10, norm=optx.max_norm)),
        )
        return solution.ys[0]

    parameters = jnp.array([8.0, 1.0])
    value, slopes = jax.jit(jax.value_and_grad(steady))(parameters)
    np.testing.assert_allclose(value, 2.0, rtol=1e-7)
    np.testing.assert_allclose(slopes, [1 / 12, -8 / 12], rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(steady))(parameters), slopes, rtol=1e-6)


class Field(eqx.Module):
    """A vector field that is a neural network."""

    network: eqx.nn.MLP

    def __call__(self, t: Array, y: Array, args: None) -> Array:
        return self.network(y)


@pytest.mark.slow
def test_the_gradient_with_respect_to_a_neural_network_in_the_equation() -> None:
    field = Field(eqx.nn.MLP(2, 2, 8, 1, activation=jnp.tanh, key=jax.random.key(0)))
    starts = jnp.array([[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]])

    @eqx.filter_jit
    def loss_and_gradient(field: Field, adjoint):
        @eqx.filter_value_and_grad
        def loss(field: Field):
            def run(start):
                return dfx.diffeqsolve(dfx.ODETerm(field), dfx.Tsit5(), 0.0, 1.0, 0.1, start, adjoint=adjoint).ys[-1]

            return jnp.sum(jax.vmap(run)(starts) ** 2)

        return loss(field)

    value, gradient = loss_and_gradient(field, dfx.RecursiveCheckpointAdjoint())
    assert isinstance(gradient, Field)
    direction = jax.tree.map(jnp.sin, eqx.filter(field, eqx.is_inexact_array))
    h = 1e-5

    def moved(step):
        return eqx.apply_updates(field, jax.tree.map(lambda leaf: step * leaf, direction))

    slope = (
        loss_and_gradient(moved(h), dfx.RecursiveCheckpointAdjoint())[0]
        - loss_and_gradient(moved(-h), dfx.RecursiveCheckpointAdjoint())[0]
    ) / (2 * h)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), eqx.filter(gradient, eqx.is_inexact_array), direction)
    np.testing.assert_allclose(sum(jax.tree.leaves(products)), slope, rtol=1e-7)
    backsolved = loss_and_gradient(field, dfx.BacksolveAdjoint())
    assert eqx.tree_equal(
        eqx.filter((value, gradient), eqx.is_array), eqx.filter(backsolved, eqx.is_array), rtol=1e-4, atol=1e-6
    )


def test_more_checkpoints_take_more_memory_and_more_steps_do_not() -> None:
    def memory(steps: int, checkpoints: int) -> int:
        def final(start):
            return jnp.sum(
                dfx.diffeqsolve(
                    dfx.ODETerm(lambda t, y, args: -jnp.sin(y)),
                    dfx.Euler(),
                    0.0,
                    1.0,
                    1 / steps,
                    start,
                    adjoint=dfx.RecursiveCheckpointAdjoint(checkpoints=checkpoints),
                    max_steps=steps,
                ).ys
            )

        analysis: Any = jax.jit(jax.grad(final)).lower(jnp.ones(10_000)).compile().memory_analysis()
        return analysis.temp_size_in_bytes

    least = memory(100, 4)
    assert memory(1000, 4) < 1.1 * least
    assert memory(1000, 40) > 3 * least
