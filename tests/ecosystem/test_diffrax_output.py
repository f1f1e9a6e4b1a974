"""Diffrax: what a solve returns (times, dense output), the events that end it, and paths through data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate

import equinox as eqx

dfx = pytest.importorskip("diffrax")
optx = pytest.importorskip("optimistix")

slow = pytest.mark.slow
PRECISE = {"rtol": 1e-9, "atol": 1e-9}


def decay(saveat, **options):
    return dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, args: -y),
        dfx.Tsit5(),
        0.0,
        2.0,
        0.1,
        jnp.array([1.0, 2.0]),
        saveat=saveat,
        stepsize_controller=dfx.PIDController(**PRECISE),
        max_steps=256,
        **options,
    )


def test_each_way_to_save_what_happens() -> None:
    subs = {
        "times": dfx.SubSaveAt(ts=jnp.array([0.3, 0.31, 1.7])),
        "ends": dfx.SubSaveAt(t0=True, t1=True, fn=lambda t, y, args: {"sum": jnp.sum(y)}),
        "steps": dfx.SubSaveAt(steps=True),
    }
    solution = eqx.filter_jit(decay)(dfx.SaveAt(subs=subs))
    times = np.array([0.3, 0.31, 1.7])
    np.testing.assert_allclose(solution.ys["times"], np.exp(-times)[:, None] * [1, 2], rtol=1e-7)
    np.testing.assert_allclose(solution.ys["ends"]["sum"], [3, 3 * np.exp(-2)], rtol=1e-7)
    steps = int(solution.stats["num_accepted_steps"])
    assert np.all(np.isfinite(solution.ts["steps"][:steps]))
    assert np.all(np.isinf(solution.ts["steps"][steps:]))
    np.testing.assert_allclose(solution.ys["steps"][:steps, 0], np.exp(-solution.ts["steps"][:steps]), rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("Tsit5", 1e-6),
        *(pytest.param(name, p, marks=slow) for name, p in [("Dopri8", 1e-6), ("Kvaerno5", 1e-5), ("Bosh3", 1e-5)]),
    ],
)
def test_dense_output_and_its_derivative(name: str, precision: float) -> None:
    @eqx.filter_jit
    def solve():
        return dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, args: -y),
            getattr(dfx, name)(),
            0.0,
            2.0,
            0.1,
            1.0,
            saveat=dfx.SaveAt(dense=True),
            stepsize_controller=dfx.PIDController(**PRECISE),
        )

    solution = solve()
    times = jnp.linspace(0.0, 2.0, 17)
    np.testing.assert_allclose(jax.vmap(solution.evaluate)(times), np.exp(-times), rtol=precision)
    np.testing.assert_allclose(jax.vmap(solution.derivative)(times), -np.exp(-times), rtol=precision * 100)
    assert eqx.tree_equal(eqx.filter_jit(lambda solution: solution)(solution), solution)


def test_gradients_pass_through_dense_output() -> None:
    def value(rate):
        solution = dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, rate: -rate * y),
            dfx.Tsit5(),
            0.0,
            1.0,
            0.05,
            1.0,
            rate,
            saveat=dfx.SaveAt(dense=True),
        )
        return solution.evaluate(0.33)

    np.testing.assert_allclose(jax.jit(jax.grad(value))(0.7), -0.33 * np.exp(-0.7 * 0.33), rtol=1e-5)


def test_a_solve_is_continued_where_it_was_left() -> None:
    saveat = dfx.SaveAt(t1=True, solver_state=True, controller_state=True, made_jump=True)
    term, solver = dfx.ODETerm(lambda t, y, args: -y), dfx.Dopri5()
    controller = dfx.PIDController(**PRECISE)
    first = dfx.diffeqsolve(term, solver, 0.0, 1.0, 0.1, 1.0, saveat=saveat, stepsize_controller=controller)
    second = dfx.diffeqsolve(
        term,
        solver,
        1.0,
        2.0,
        None,
        first.ys[0],
        stepsize_controller=controller,
        solver_state=first.solver_state,
        controller_state=first.controller_state,
        made_jump=first.made_jump,
    )
    np.testing.assert_allclose(second.ys[0], np.exp(-2), rtol=1e-8)


# --- events ----------------------------------------------------------------------------------------------------------


def fall(gravity, height, adjoint=None):
    """Let something fall until it hits the ground."""

    def field(t, y, gravity):
        return y[1], -gravity

    return dfx.diffeqsolve(
        dfx.ODETerm(field),
        dfx.Tsit5(),
        0.0,
        jnp.inf,
        0.1,
        (height, jnp.zeros_like(height)),
        gravity,
        event=dfx.Event(lambda t, y, args, **kwargs: y[0], optx.Newton(**PRECISE)),
        adjoint=adjoint or dfx.RecursiveCheckpointAdjoint(),
    )


def test_the_time_of_an_event_and_its_derivatives_in_a_batch() -> None:
    def impact(gravity, height):
        return fall(gravity, height).ts[-1]

    heights = jnp.array([10.0, 20.0])
    gravity = jnp.array(9.81)
    times, slopes = jax.jit(jax.vmap(jax.value_and_grad(impact, (0, 1)), (None, 0)))(gravity, heights)
    expected = np.sqrt(2 * heights / 9.81)
    np.testing.assert_allclose(times, expected, rtol=1e-8)
    np.testing.assert_allclose(slopes[0], -expected / (2 * 9.81), rtol=1e-6)
    np.testing.assert_allclose(slopes[1], 1 / (9.81 * expected), rtol=1e-6)


@pytest.mark.slow
def test_of_several_events_the_first_one_ends_the_solve_and_is_known() -> None:
    # A rotation: which axis is crossed first, and in which direction?
    def rotate(t, y, args):
        return -y[1], y[0]

    events = {"x": lambda t, y, args, **kwargs: y[0], "y": lambda t, y, args, **kwargs: y[1]}

    def solve(angle, direction):
        return dfx.diffeqsolve(
            dfx.ODETerm(rotate),
            dfx.Tsit5(),
            0.0,
            10.0,
            0.05,
            (jnp.cos(angle), jnp.sin(angle)),
            event=dfx.Event(events, optx.Newton(**PRECISE), direction=direction),
        )

    solve_jitted = eqx.filter_jit(solve)
    solution = solve_jitted(0.5, None)
    assert solution.result == dfx.RESULTS.event_occurred
    np.testing.assert_allclose(solution.ts[-1], np.pi / 2 - 0.5, rtol=1e-6)
    assert jax.tree.map(bool, solution.event_mask) == {"x": True, "y": False}
    # Upwards, x crosses zero at 270 degrees only, and y at 360.
    solution = solve_jitted(0.5, True)
    np.testing.assert_allclose(solution.ts[-1], 3 * np.pi / 2 - 0.5, rtol=1e-6)


def test_a_condition_ends_a_solve_after_the_step_in_which_it_came_true() -> None:
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, args: -y),
        dfx.Euler(),
        0.0,
        10.0,
        0.5,
        1.0,
        event=dfx.Event(lambda t, y, args, **kwargs: y < 0.2),
    )
    np.testing.assert_allclose([solution.ts[-1], solution.ys[-1]], [1.5, 0.125])


# --- paths -----------------------------------------------------------------------------------------------------------

TIMES = np.array([0.0, 0.4, 1.0, 1.7, 2.0])
DATA = np.stack([np.sin(TIMES), np.cos(2 * TIMES)], axis=1)


def test_interpolation_is_that_of_scipy() -> None:
    points = np.linspace(0, 2, 21)
    linear = dfx.LinearInterpolation(jnp.asarray(TIMES), jnp.asarray(DATA))
    expected = np.stack([np.interp(points, TIMES, column) for column in DATA.T], axis=1)
    np.testing.assert_allclose(jax.vmap(linear.evaluate)(points), expected, rtol=1e-12, atol=1e-12)

    coefficients = dfx.backward_hermite_coefficients(jnp.asarray(TIMES), jnp.asarray(DATA))
    cubic = dfx.CubicInterpolation(jnp.asarray(TIMES), coefficients)
    slopes = np.diff(DATA, axis=0) / np.diff(TIMES)[:, None]
    reference = scipy.interpolate.CubicHermiteSpline(TIMES, DATA, np.concatenate([slopes[:1], slopes]))
    np.testing.assert_allclose(jax.vmap(cubic.evaluate)(points), reference(points), rtol=1e-10, atol=1e-12)
    inner = points[1:-1] + 0.013
    np.testing.assert_allclose(jax.vmap(cubic.derivative)(inner), reference(inner, 1), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_an_equation_driven_by_a_path(kind: str) -> None:
    # dy = y dx, so y(t) = exp(x(t) - x(0)).
    if kind == "linear":
        path = dfx.LinearInterpolation(jnp.asarray(TIMES), jnp.asarray(DATA[:, 0]))
    else:
        coefficients = dfx.backward_hermite_coefficients(jnp.asarray(TIMES), jnp.asarray(DATA[:, 0]))
        path = dfx.CubicInterpolation(jnp.asarray(TIMES), coefficients)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def solve(path, start):
        term = dfx.ControlTerm(lambda t, y, args: y, path).to_ode()
        solution = dfx.diffeqsolve(
            term,
            dfx.Tsit5(),
            0.0,
            2.0,
            None,
            start,
            stepsize_controller=dfx.ClipStepSizeController(dfx.PIDController(**PRECISE), jump_ts=jnp.asarray(TIMES)),
        )
        return solution.ys[0]

    value, gradient = solve(path, jnp.array(2.0))
    expected = 2 * np.exp(DATA[-1, 0] - DATA[0, 0])
    np.testing.assert_allclose(value, expected, rtol=1e-7)
    assert isinstance(gradient, type(path))
    if kind == "linear":
        ends = gradient.ys[jnp.array([0, -1])]
        np.testing.assert_allclose(ends, [-expected, expected], rtol=1e-5)
        np.testing.assert_allclose(gradient.ys[1:-1], 0, atol=1e-5)


def test_missing_data_are_skipped() -> None:
    gaps = jnp.asarray(DATA).at[2, 0].set(jnp.nan)
    filled = dfx.linear_interpolation(jnp.asarray(TIMES), gaps)
    expected = np.interp(TIMES, np.delete(TIMES, 2), np.delete(DATA[:, 0], 2))
    np.testing.assert_allclose(filled[:, 0], expected, rtol=1e-12, atol=1e-12)
