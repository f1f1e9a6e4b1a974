"""Diffrax: solvers for ordinary differential equations, stiff and not, and how they choose their steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import equinox as eqx

dfx = pytest.importorskip("diffrax")
optx = pytest.importorskip("optimistix")

slow = pytest.mark.slow


def oscillator(t, y, frequency):
    position, velocity = y
    return velocity, -(frequency**2) * position


EXPLICIT = {
    # The largest error after one turn, at steps of 1/100 of it.
    "Euler": 0.5,
    "Heun": 6e-3,
    "Midpoint": 6e-3,
    "Ralston": 6e-3,
    "Bosh3": 1e-4,
    "Tsit5": 1e-7,
    "Dopri5": 1e-7,
    "Dopri8": 1e-11,
    "LeapfrogMidpoint": 1e-2,
    "ReversibleHeun": 1e-2,
}


@pytest.mark.parametrize(
    "name", [name if name in {"Euler", "Tsit5"} else pytest.param(name, marks=slow) for name in EXPLICIT]
)
def test_one_turn_of_an_oscillator_in_steps_of_one_size(name: str) -> None:
    solver = getattr(dfx, name)()
    turn = 2 * np.pi / 3
    start = (jnp.array(1.0), jnp.array(0.0))

    @eqx.filter_jit
    def solve(frequency):
        return dfx.diffeqsolve(dfx.ODETerm(oscillator), solver, 0.0, turn, turn / 100, start, frequency)

    solution = solve(3.0)
    assert solution.stats["num_steps"] == 100
    np.testing.assert_allclose([solution.ys[0][0], solution.ys[1][0] / 3], [1, 0], rtol=0, atol=EXPLICIT[name])


def test_a_symplectic_solver_keeps_the_energy() -> None:
    terms = dfx.ODETerm(lambda t, v, args: v), dfx.ODETerm(lambda t, x, args: -x)
    solution = dfx.diffeqsolve(
        terms, dfx.SemiImplicitEuler(), 0.0, 100.0, 0.05, (1.0, 0.0), saveat=dfx.SaveAt(steps=True), max_steps=2000
    )
    x, v = (values[np.isfinite(values)] for values in solution.ys)
    assert len(x) == 2000
    # What such an integrator conserves is near the energy: the step sets how near.
    np.testing.assert_allclose(x**2 + v**2, 1, atol=0.06)
    np.testing.assert_allclose(x**2 + v**2 + 0.05 * x * v, 1, rtol=1e-9)


STIFF = ["Kvaerno3", "Kvaerno4", "Kvaerno5", "ImplicitEuler"]


@pytest.mark.parametrize("name", [name if name == "Kvaerno5" else pytest.param(name, marks=slow) for name in STIFF])
def test_robertson_chemical_kinetics_are_those_of_scipy(name: str) -> None:
    def kinetics(t, y, args):
        a, b, c = y
        first, second, third = 0.04 * a, 1e4 * b * c, 3e7 * b**2
        return jnp.stack([second - first, first - second - third, third])

    solver = getattr(dfx, name)()
    precision = 1e-4 if name == "ImplicitEuler" else 1e-8
    times = jnp.array([0.4, 40.0])
    solution = eqx.filter_jit(dfx.diffeqsolve)(
        dfx.ODETerm(kinetics),
        solver,
        0.0,
        40.0,
        1e-5,
        jnp.array([1.0, 0.0, 0.0]),
        saveat=dfx.SaveAt(ts=times),
        stepsize_controller=dfx.PIDController(rtol=precision, atol=precision * 1e-4),
        max_steps=100_000,
    )
    expected = scipy.integrate.solve_ivp(
        lambda t, y: np.asarray(
            [1e4 * y[1] * y[2] - 0.04 * y[0], 0.04 * y[0] - 1e4 * y[1] * y[2] - 3e7 * y[1] ** 2, 3e7 * y[1] ** 2]
        ),
        (0, 40),
        [1.0, 0.0, 0.0],
        method="Radau",
        t_eval=np.asarray(times),
        rtol=1e-10,
        atol=1e-13,
    ).y.T
    np.testing.assert_allclose(solution.ys, expected, rtol=precision * 1000)
    np.testing.assert_allclose(jnp.sum(solution.ys, axis=1), 1, rtol=1e-6)
    assert solution.stats["num_steps"] < 2000 or name == "ImplicitEuler"


@pytest.mark.parametrize(
    "name", ["KenCarp4", *(pytest.param(name, marks=slow) for name in ("KenCarp3", "KenCarp5", "Sil3"))]
)
def test_an_imex_solver_splits_the_equation_in_two(name: str) -> None:
    # y' = -50 (y - cos t), whose first part is stiff.
    terms = dfx.MultiTerm(dfx.ODETerm(lambda t, y, args: 50 * jnp.cos(t)), dfx.ODETerm(lambda t, y, args: -50 * y))
    controller = dfx.PIDController(rtol=1e-3, atol=1e-3)
    solution = eqx.filter_jit(dfx.diffeqsolve)(
        terms, getattr(dfx, name)(), 0.0, 2.0, 1e-3, 0.0, stepsize_controller=controller
    )
    expected = (50**2 * np.cos(2.0) + 50 * np.sin(2.0) - 50**2 * np.exp(-100)) / (50**2 + 1)
    np.testing.assert_allclose(solution.ys[0], expected, rtol=2e-2)


def test_adaptive_steps_are_as_fine_as_is_asked_for_and_a_batch_takes_them_one_by_one() -> None:
    @eqx.filter_jit
    def solve(precision, frequency):
        solution = dfx.diffeqsolve(
            dfx.ODETerm(oscillator),
            dfx.Tsit5(),
            0.0,
            5.0,
            None,
            (jnp.array(1.0), jnp.array(0.0)),
            frequency,
            stepsize_controller=dfx.PIDController(rtol=precision, atol=precision),
        )
        return solution.ys[0][0], solution.stats["num_steps"]

    frequencies = jnp.array([1.0, 3.0])
    for precision in (1e-5, 1e-9):
        positions, steps = eqx.filter_jit(jax.vmap(solve, (None, 0)))(precision, frequencies)
        np.testing.assert_allclose(positions, np.cos(frequencies * 5.0), atol=precision * 100)
        alone, steps_alone = solve(precision, frequencies[0])
        np.testing.assert_allclose(positions[0], alone, rtol=1e-12)
        assert steps[0] == steps_alone < steps[1]


def test_steps_end_where_the_equation_jumps() -> None:
    # A force that is switched on at 1/3.
    controller = dfx.ClipStepSizeController(
        dfx.PIDController(rtol=1e-9, atol=1e-9), jump_ts=jnp.array([1 / 3]), store_rejected_steps=None
    )
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, args: jnp.where(t < 1 / 3, 0.0, 2.0)),
        dfx.Dopri5(),
        0.0,
        1.0,
        0.1,
        0.0,
        saveat=dfx.SaveAt(steps=True, t1=True),
        stepsize_controller=controller,
        max_steps=64,
    )
    final = solution.ys[np.isfinite(solution.ys)][-1]
    np.testing.assert_allclose(final, 4 / 3, rtol=1e-9)
    assert np.min(np.abs(solution.ts - 1 / 3)) < 1e-6


def test_given_steps_are_taken() -> None:
    times = jnp.array([0.0, 0.5, 0.6, 1.0])
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, args: -y), dfx.Euler(), 0.0, 1.0, None, 1.0, stepsize_controller=dfx.StepTo(times)
    )
    np.testing.assert_allclose(solution.ys[0], 0.5 * 0.9 * 0.6, rtol=1e-12)


def test_half_steps_estimate_the_error_of_a_solver_that_does_not() -> None:
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, args: -y),
        dfx.HalfSolver(dfx.Midpoint()),
        0.0,
        1.0,
        0.1,
        1.0,
        stepsize_controller=dfx.PIDController(rtol=1e-6, atol=1e-8),
    )
    np.testing.assert_allclose(solution.ys[0], np.exp(-1), rtol=1e-4)


def test_a_solve_goes_backwards_in_time() -> None:
    solution = dfx.diffeqsolve(dfx.ODETerm(lambda t, y, args: -y), dfx.Dopri8(), 1.0, 0.0, -0.01, np.exp(-1.0))
    np.testing.assert_allclose(solution.ys[0], 1.0, rtol=1e-12)


def test_complex_states_are_solved_for() -> None:
    with pytest.warns(UserWarning, match="[Cc]omplex"):
        solution = dfx.diffeqsolve(dfx.ODETerm(lambda t, y, args: 1j * y), dfx.Dopri8(), 0.0, 1.0, 0.01, 1.0 + 0j)
    np.testing.assert_allclose(solution.ys[0], np.exp(1j), rtol=1e-12)


def test_too_few_steps_are_an_error_or_a_result_that_says_so() -> None:
    def solve(**options):
        return dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, args: -y), dfx.Euler(), 0.0, 1.0, 0.1, 1.0, max_steps=5, **options
        )

    with pytest.raises(eqx.EquinoxRuntimeError, match="maximum number of solver steps"):
        jax.block_until_ready(solve().ys)
    solution = solve(throw=False)
    assert solution.result == dfx.RESULTS.max_steps_reached
    assert "maximum number of solver steps" in dfx.RESULTS[solution.result]


def test_progress_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    solution = eqx.filter_jit(dfx.diffeqsolve)(
        dfx.ODETerm(lambda t, y, args: -y),
        dfx.Euler(),
        0.0,
        1.0,
        0.25,
        1.0,
        progress_meter=dfx.TextProgressMeter(minimum_increase=0.2),
    )
    jax.block_until_ready(solution.ys)
    jax.effects_barrier()
    lines = capfd.readouterr().out.split()
    assert lines[0] == "0.00%"
    assert lines[-1] == "100.00%"
    assert "50.00%" in lines
