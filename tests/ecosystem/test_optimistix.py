"""Optimistix: least squares, roots, fixed points and minima, and how they depend on the problem."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
from jax import Array

import equinox as eqx

lx = pytest.importorskip("lineax")
optx = pytest.importorskip("optimistix")

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}
slow = pytest.mark.slow

# --- roots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "options"),
    [
        pytest.param(lambda: optx.Newton(**TOLERANCE), {}, id="Newton"),
        pytest.param(lambda: optx.Chord(**TOLERANCE), {}, id="Chord"),
        pytest.param(lambda: optx.Bisection(**TOLERANCE), {"lower": 1.0, "upper": 3.0}, id="Bisection"),
        pytest.param(lambda: optx.LevenbergMarquardt(**TOLERANCE), {}, id="least squares"),
        pytest.param(lambda: optx.BestSoFarRootFinder(optx.Newton(**TOLERANCE)), {}, id="best so far", marks=slow),
    ],
)
def test_a_square_root_and_its_derivatives(solver, options) -> None:
    def root(square):
        found = optx.root_find(lambda x, square: x**2 - square, solver(), 1.5, square, options=options)
        return found.value

    squares = jnp.array([2.0, 3.0])
    value, forwards, backwards = eqx.filter_jit(
        lambda squares: (
            jax.vmap(root)(squares),
            jax.jvp(root, (squares[0],), (jnp.array(1.0),))[1],
            jax.vmap(jax.grad(root))(squares),
        )
    )(squares)
    np.testing.assert_allclose(value, np.sqrt(squares), rtol=1e-8)
    np.testing.assert_allclose(forwards, 0.5 / np.sqrt(2.0), rtol=1e-8)
    np.testing.assert_allclose(backwards, 0.5 / np.sqrt(squares), rtol=1e-8)


def test_a_root_over_a_tree_with_auxiliary_output() -> None:
    # The intersection of a circle of radius r with the line y = 2 x.
    def function(point: dict[str, Array], radius: Array) -> tuple[Any, Array]:
        x, y = point["x"], point["y"]
        return (x**2 + y**2 - radius**2, y - 2 * x), x + y

    def find(radius):
        start = {"x": jnp.array(1.0), "y": jnp.array(1.0)}
        return optx.root_find(function, optx.Newton(**TOLERANCE), start, radius, has_aux=True)

    solution = eqx.filter_jit(find)(3.0)
    np.testing.assert_allclose(solution.value["x"], 3 / np.sqrt(5), rtol=1e-9)
    np.testing.assert_allclose(solution.aux, 9 / np.sqrt(5), rtol=1e-6)
    slope = jax.jit(jax.jacrev(lambda radius: find(radius).value))(3.0)
    np.testing.assert_allclose([slope["x"], slope["y"]], [1 / np.sqrt(5), 2 / np.sqrt(5)], rtol=1e-9)


@pytest.mark.parametrize("solver", [optx.Newton, pytest.param(optx.Chord, marks=slow)])
def test_a_root_in_many_dimensions_is_that_of_scipy(solver) -> None:
    # Broyden's tridiagonal problem.
    def function(x, xp: Any):
        padded = xp.concatenate([xp.zeros(1), x, xp.zeros(1)])
        return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1

    start = -np.ones(8)
    expected = scipy.optimize.root(lambda x: function(x, np), start, tol=1e-12).x
    found = optx.root_find(lambda x, _: function(x, jnp), solver(**TOLERANCE), jnp.asarray(start))
    np.testing.assert_allclose(found.value, expected, rtol=1e-8)


def test_steps_that_do_not_suffice_are_an_error_or_a_result_that_says_so() -> None:
    def find(**options):
        return optx.root_find(lambda x, _: x**2 - 2, optx.Newton(**TOLERANCE), 100.0, max_steps=3, **options)

    with pytest.raises(eqx.EquinoxRuntimeError, match="maximum number of"):
        jax.block_until_ready(find().value)
    assert find(throw=False).result == optx.RESULTS.nonlinear_max_steps_reached


# --- fixed points ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "adjoint"),
    [
        pytest.param(lambda: optx.FixedPointIteration(**TOLERANCE), optx.ImplicitAdjoint(), id="iteration"),
        pytest.param(lambda: optx.Newton(**TOLERANCE), optx.ImplicitAdjoint(), id="Newton"),
        pytest.param(
            lambda: optx.FixedPointIteration(**TOLERANCE), optx.RecursiveCheckpointAdjoint(), id="iteration, unrolled"
        ),
    ],
)
def test_kepler_equation_and_its_derivative(solver, adjoint) -> None:
    def anomaly(mean, eccentricity):
        def step(angle, arguments):
            mean, eccentricity = arguments
            return mean + eccentricity * jnp.sin(angle)

        return optx.fixed_point(step, solver(), mean, (mean, eccentricity), adjoint=adjoint).value

    value, slopes = jax.jit(jax.value_and_grad(anomaly, (0, 1)))(1.0, 0.3)
    expected: Any = scipy.optimize.brentq(lambda angle: angle - 0.3 * np.sin(angle) - 1, 0, 2, xtol=1e-15)
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    denominator = 1 - 0.3 * np.cos(expected)
    np.testing.assert_allclose(slopes, [1 / denominator, np.sin(expected) / denominator], rtol=1e-7)


class Equilibrium(eqx.Module):
    """A layer whose output is z = tanh(W z + x)."""

    weight: Array

    def __call__(self, x: Array) -> Array:
        def step(z, arguments):
            layer, x = arguments
            return jnp.tanh(layer.weight @ z + x)

        return optx.fixed_point(step, optx.FixedPointIteration(**TOLERANCE), jnp.zeros_like(x), (self, x)).value


def test_the_gradient_of_a_layer_defined_by_its_equilibrium() -> None:
    rng = np.random.default_rng(0)
    layer = Equilibrium(jnp.asarray(rng.uniform(-0.2, 0.2, (3, 3))))
    batch = jnp.asarray(rng.normal(size=(4, 3)))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(layer: Equilibrium, batch: Array) -> Array:
        return jnp.sum(jax.vmap(layer)(batch) ** 2)

    _, gradient = loss(layer, batch)
    assert isinstance(gradient, Equilibrium)
    direction = rng.normal(size=(3, 3))
    h = 1e-5
    above, below = (loss(Equilibrium(layer.weight + step * direction), batch)[0] for step in (h, -h))
    np.testing.assert_allclose(jnp.sum(gradient.weight * direction), (above - below) / (2 * h), rtol=1e-6)


# --- least squares ---------------------------------------------------------------------------------------------------

TIMES = np.linspace(0, 3, 12)
MEASURED = 2 * np.exp(-1.3 * TIMES) + 0.5 + 0.05 * np.random.default_rng(0).normal(size=12)


def misfit(parameters, measured, xp: Any = jnp):
    amplitude, rate, offset = parameters
    return amplitude * xp.exp(-rate * TIMES) + offset - measured


@pytest.mark.parametrize(
    "solver",
    [
        pytest.param(lambda: optx.GaussNewton(**TOLERANCE), id="GaussNewton"),
        pytest.param(lambda: optx.LevenbergMarquardt(**TOLERANCE), id="LevenbergMarquardt"),
        pytest.param(lambda: optx.IndirectLevenbergMarquardt(**TOLERANCE), id="IndirectLevenbergMarquardt", marks=slow),
        pytest.param(lambda: optx.Dogleg(**TOLERANCE), id="Dogleg"),
        pytest.param(
            lambda: optx.Dogleg(**TOLERANCE, linear_solver=lx.Normal(lx.Cholesky())), id="Dogleg, normal", marks=slow
        ),
        pytest.param(lambda: optx.BFGS(**TOLERANCE), id="BFGS", marks=slow),
        pytest.param(
            lambda: optx.BestSoFarLeastSquares(optx.LevenbergMarquardt(**TOLERANCE)), id="best so far", marks=slow
        ),
    ],
)
def test_a_fit_is_that_of_scipy_and_so_is_its_derivative(solver) -> None:
    def expected(measured):
        fit = scipy.optimize.least_squares(
            misfit, [1.0, 1.0, 0.0], args=(measured, np), method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15
        )
        return fit.x

    def fit(measured):
        start = (jnp.array(1.0), jnp.array(1.0), jnp.array(0.0))
        return jnp.stack(optx.least_squares(misfit, solver(), start, measured).value)

    value, slopes = jax.jit(lambda measured: (fit(measured), jax.jacrev(fit)(measured)))(jnp.asarray(MEASURED))
    np.testing.assert_allclose(value, expected(MEASURED), rtol=1e-6)
    direction = np.sin(np.arange(12))
    h = 1e-4
    difference = (expected(MEASURED + h * direction) - expected(MEASURED - h * direction)) / (2 * h)
    np.testing.assert_allclose(slopes @ direction, difference, rtol=2e-3)


# --- minima ----------------------------------------------------------------------------------------------------------


def rosenbrock(point, arguments):
    # Its minimum, zero, is at x = a, y = a**2.
    a, steepness = arguments
    x, y = point["x"], point["y"]
    return (a - x) ** 2 + steepness * (y - x**2) ** 2


@pytest.mark.parametrize(
    ("solver", "precision"),
    [
        pytest.param(lambda: optx.BFGS(**TOLERANCE), 1e-6, id="BFGS"),
        pytest.param(lambda: optx.BFGS(**TOLERANCE, use_inverse=False), 1e-6, id="BFGS, Hessian", marks=slow),
        pytest.param(lambda: optx.LBFGS(**TOLERANCE), 1e-6, id="LBFGS"),
        pytest.param(lambda: optx.DFP(**TOLERANCE), 1e-6, id="DFP", marks=slow),
        pytest.param(lambda: optx.NonlinearCG(**TOLERANCE), 1e-6, id="NonlinearCG"),
        pytest.param(lambda: optx.NonlinearCG(**TOLERANCE, method=optx.dai_yuan), 1e-6, id="Dai-Yuan", marks=slow),
        pytest.param(lambda: optx.NelderMead(**TOLERANCE), 1e-5, id="NelderMead"),
        pytest.param(lambda: optx.GradientDescent(0.05, **TOLERANCE), 1e-4, id="GradientDescent", marks=slow),
        pytest.param(lambda: optx.OptaxMinimiser(optax.adam(0.03), **TOLERANCE), 1e-4, id="optax"),
        pytest.param(lambda: optx.BestSoFarMinimiser(optx.BFGS(**TOLERANCE)), 1e-6, id="best so far", marks=slow),
    ],
)
def test_a_minimum_and_its_derivative(solver, precision: float) -> None:
    def minimum(a):
        start = {"x": jnp.array(0.5), "y": jnp.array(0.0)}
        return optx.minimise(rosenbrock, solver(), start, (a, 2.0), max_steps=100_000).value

    value, slope = jax.jit(lambda a: (minimum(a), jax.jacfwd(minimum)(a)))(1.2)
    np.testing.assert_allclose([value["x"], value["y"]], [1.2, 1.44], rtol=precision * 10)
    np.testing.assert_allclose([slope["x"], slope["y"]], [1.0, 2.4], rtol=precision * 100)


def test_the_golden_section_finds_a_minimum_on_a_line() -> None:
    options = {"lower": 0.0, "upper": 3.0}
    found = optx.minimise(lambda x, _: x - jnp.log(x), optx.GoldenSearch(**TOLERANCE), 2.0, options=options)
    np.testing.assert_allclose(found.value, 1.0, rtol=1e-6)


def test_the_unrolled_minimisation_has_the_derivative_of_the_implicit_one() -> None:
    matrix = jnp.diag(jnp.array([1.0, 3.0]))

    def minimum(target, adjoint):
        def function(x, target):
            return 0.5 * (x - target) @ matrix @ (x - target) + 0.1 * jnp.sum(x**4)

        solver = optx.GradientDescent(0.25, rtol=1e-9, atol=1e-9)
        return optx.minimise(function, solver, jnp.zeros(2), target, adjoint=adjoint).value

    adjoints = optx.ImplicitAdjoint(), optx.RecursiveCheckpointAdjoint()
    target = jnp.array([1.0, -2.0])
    # At the minimum, matrix (x - target) + 0.4 x^3 = 0.
    x = minimum(target, adjoints[0])
    expected = np.linalg.solve(matrix + np.diag(1.2 * x**2), matrix)
    for adjoint in adjoints:
        slopes = jax.jit(jax.jacrev(lambda target, adjoint=adjoint: minimum(target, adjoint)))(target)
        np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-8)


def test_scipy_interface() -> None:
    found = optx.compat.minimize(lambda x: jnp.sum((x - 3.0) ** 2), jnp.zeros(2), method="bfgs", tol=1e-8)
    np.testing.assert_allclose(found.x, 3.0, rtol=1e-6)
    assert found.success
