"""The work: solves of Diffrax, Optimistix and Lineax, and their derivatives."""

import importlib
from collections.abc import Callable
from typing import Any, Final, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import equinox as eqx

# So that those who check the types in here need not have them.
dfx: Any = importlib.import_module("diffrax")
lx: Any = importlib.import_module("lineax")
optx: Any = importlib.import_module("optimistix")

#: Has a result that is an array, or a tree of such.
Work = Callable[[], Any]

_PRECISE: Final = {"rtol": 1e-8, "atol": 1e-8}


_ready: Any = cast(Any, jax.block_until_ready)


def _compiled(function: Callable[..., Any], *arguments: Any) -> Work:
    jitted = eqx.filter_jit(function)
    return lambda: _ready(jitted(*arguments))


def _pendulum(t: Any, y: Array, args: Any) -> Array:
    return jnp.stack([y[1], -jnp.sin(y[0]) - 0.1 * y[1]])


_START: Final = np.array([1.0, 0.5])


def constant_steps() -> Work:
    """100 steps of one size."""

    def solve(start: Array) -> Any:
        return dfx.diffeqsolve(dfx.ODETerm(_pendulum), dfx.Tsit5(), 0.0, 10.0, 0.1, start).ys

    return _compiled(solve, jnp.asarray(_START))


def called_directly() -> Work:
    """The same without a compiled function around it, so that Diffrax is entered again each time."""
    start = jnp.asarray(_START)
    term, solver = dfx.ODETerm(_pendulum), dfx.Tsit5()
    return lambda: _ready(dfx.diffeqsolve(term, solver, 0.0, 10.0, 0.1, start).ys)


def adaptive_steps() -> Work:
    """A batch of 64, each with its own steps."""

    def solve(start: Array) -> Any:
        controller = dfx.PIDController(**_PRECISE)
        return dfx.diffeqsolve(
            dfx.ODETerm(_pendulum), dfx.Tsit5(), 0.0, 10.0, None, start, stepsize_controller=controller
        ).ys

    starts = jnp.asarray(np.random.default_rng(0).normal(size=(64, 2)))
    return _compiled(jax.vmap(solve), starts)


def dense_output() -> Work:
    """Interpolated at 100 times."""

    def solve(start: Array, times: Array) -> Any:
        saveat = dfx.SaveAt(dense=True)
        solution = dfx.diffeqsolve(dfx.ODETerm(_pendulum), dfx.Dopri5(), 0.0, 10.0, 0.1, start, saveat=saveat)
        return jax.vmap(solution.evaluate)(times)

    return _compiled(solve, jnp.asarray(_START), jnp.linspace(0.0, 10.0, 100))


def stiff() -> Work:
    """Robertson's chemical reaction."""

    def kinetics(t: Any, y: Array, args: Any) -> Array:
        first, second, third = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
        return jnp.stack([second - first, first - second - third, third])

    def solve(start: Array) -> Any:
        controller = dfx.PIDController(rtol=1e-7, atol=1e-10)
        return dfx.diffeqsolve(
            dfx.ODETerm(kinetics), dfx.Kvaerno5(), 0.0, 100.0, 1e-4, start, stepsize_controller=controller
        ).ys

    return _compiled(solve, jnp.array([1.0, 0.0, 0.0]))


def event() -> Work:
    """Until something hits the ground, at a time that Newton's method finds."""

    def height_above_ground(t: Any, y: Any, args: Any, **kwargs: Any) -> Any:
        return y[0]

    def fall(t: Any, y: Any, args: Any) -> Any:
        return y[1], -9.81

    def solve(height: Array) -> Any:
        stop = dfx.Event(height_above_ground, optx.Newton(**_PRECISE))
        return dfx.diffeqsolve(
            dfx.ODETerm(fall),
            dfx.Tsit5(),
            0.0,
            100.0,
            0.1,
            (height, jnp.zeros_like(height)),
            event=stop,
        ).ts

    return _compiled(solve, jnp.array(10.0))


class _Field(eqx.Module):
    network: eqx.nn.MLP

    def __call__(self, t: Any, y: Array, args: Any) -> Array:
        return self.network(y)


def _gradient(adjoint: Any) -> Work:
    field = _Field(eqx.nn.MLP(4, 4, 32, 2, activation=jnp.tanh, key=jax.random.key(0)))
    starts = jnp.asarray(np.random.default_rng(1).normal(size=(32, 4)))

    def loss(field: _Field, starts: Array) -> Array:
        def solve(start: Array) -> Any:
            return dfx.diffeqsolve(
                dfx.ODETerm(field), dfx.Tsit5(), 0.0, 1.0, 0.02, start, adjoint=adjoint, max_steps=64
            ).ys

        return jnp.sum(jax.vmap(solve)(starts) ** 2)

    def slopes(field: _Field, starts: Array) -> Any:
        return jax.tree.leaves(eqx.filter(eqx.filter_grad(loss)(field, starts), eqx.is_array))

    return _compiled(slopes, field, starts)


def checkpointed_gradient() -> Work:
    """Of a neural differential equation, from checkpoints."""
    return _gradient(dfx.RecursiveCheckpointAdjoint())


def few_checkpoints() -> Work:
    """The same, from four checkpoints."""
    return _gradient(dfx.RecursiveCheckpointAdjoint(checkpoints=4))


def direct_gradient() -> Work:
    """The same, through every step."""
    return _gradient(dfx.DirectAdjoint())


def backsolved_gradient() -> Work:
    """The same, by an equation that is solved backwards in time."""
    return _gradient(dfx.BacksolveAdjoint())


def stochastic() -> Work:
    """A batch of 64 paths of a stochastic equation."""

    def noise(t: Any, y: Array, args: Any) -> Any:
        return lx.DiagonalLinearOperator(0.1 * y)

    def solve(key: Array) -> Any:
        path = dfx.VirtualBrownianTree(0.0, 1.0, 1e-3, (2,), key)
        terms = dfx.MultiTerm(dfx.ODETerm(_pendulum), dfx.ControlTerm(noise, path))
        return dfx.diffeqsolve(terms, dfx.EulerHeun(), 0.0, 1.0, 0.01, jnp.asarray(_START)).ys

    return _compiled(jax.vmap(solve), jax.random.split(jax.random.key(2), 64))


def _linear(solver: Any, tags: Any = ()) -> Work:
    noise = np.random.default_rng(3).normal(size=(64, 64))
    matrix = jnp.asarray(np.eye(64) * 64 + (noise + noise.T))
    vector = jnp.arange(64.0)

    def solve(matrix: Array, vector: Array) -> Any:
        def norm(matrix: Array, vector: Array) -> Array:
            return jnp.sum(lx.linear_solve(lx.MatrixLinearOperator(matrix, tags), vector, solver).value ** 2)

        return jax.value_and_grad(norm, (0, 1))(matrix, vector)

    return _compiled(solve, matrix, vector)


def linear_lu() -> Work:
    """A linear system, and the derivative of its solution, by factorisation."""
    return _linear(lx.LU())


def linear_cg() -> Work:
    """The same by conjugate gradients."""
    return _linear(lx.CG(**_PRECISE), lx.positive_semidefinite_tag)


def linear_gmres() -> Work:
    """The same by GMRES."""
    return _linear(lx.GMRES(**_PRECISE))


def linear_called_directly() -> Work:
    """A small linear system, without a compiled function around it."""
    operator, vector = lx.MatrixLinearOperator(jnp.eye(3) * 2), jnp.arange(3.0)
    return lambda: _ready(lx.linear_solve(operator, vector).value)


def root() -> Work:
    """Broyden's problem in 32 dimensions, and the derivative of its solution."""

    def function(x: Array, shift: Array) -> Array:
        padded = jnp.concatenate([jnp.zeros(1), x, jnp.zeros(1)])
        return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + shift

    def solve(shift: Array) -> Any:
        def total(shift: Array) -> Array:
            return jnp.sum(optx.root_find(function, optx.Newton(**_PRECISE), -jnp.ones(32), shift).value)

        return jax.value_and_grad(total)(shift)

    return _compiled(solve, jnp.array(1.0))


def fit() -> Work:
    """Three parameters, by Levenberg and Marquardt's method."""
    times = jnp.linspace(0.0, 3.0, 50)
    measured = 2 * jnp.exp(-1.3 * times) + 0.5 + 0.05 * jnp.sin(37 * times)

    def misfit(parameters: Any, measured: Array) -> Array:
        amplitude, rate, offset = parameters
        return jnp.asarray(amplitude * jnp.exp(-rate * times) + offset - measured)

    def solve(measured: Array) -> Any:
        start = (jnp.array(1.0), jnp.array(1.0), jnp.array(0.0))
        return optx.least_squares(misfit, optx.LevenbergMarquardt(**_PRECISE), start, measured).value

    return _compiled(solve, measured)


def minimum() -> Work:
    """Of Rosenbrock's function in 10 dimensions, by BFGS."""

    def rosenbrock(x: Array, args: Any) -> Array:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def solve(start: Array) -> Any:
        return optx.minimise(rosenbrock, optx.BFGS(**_PRECISE), start, max_steps=1000).value

    return _compiled(solve, jnp.zeros(10))


def equilibrium() -> Work:
    """The equilibrium of a recurrent network, for a batch of 16, and its gradient."""
    weight = jnp.asarray(np.random.default_rng(4).uniform(-0.05, 0.05, (16, 16)))
    inputs = jnp.asarray(np.random.default_rng(5).normal(size=(16, 16)))

    def step(z: Array, arguments: tuple[Array, Array]) -> Array:
        weight, x = arguments
        return jnp.tanh(weight @ z + x)

    def solve(weight: Array, inputs: Array) -> Any:
        def total(weight: Array) -> Array:
            def one(x: Array) -> Any:
                return optx.fixed_point(step, optx.FixedPointIteration(**_PRECISE), jnp.zeros(16), (weight, x)).value

            return jnp.sum(jax.vmap(one)(inputs) ** 2)

        return jax.value_and_grad(total)(weight)

    return _compiled(solve, weight, inputs)


PROGRAMS: Final[dict[str, Callable[[], Work]]] = {
    "Diffrax: 100 steps": constant_steps,
    "Diffrax: 100 steps, called directly": called_directly,
    "Diffrax: adaptive steps, batch of 64": adaptive_steps,
    "Diffrax: dense output": dense_output,
    "Diffrax: stiff": stiff,
    "Diffrax: event": event,
    "Diffrax: gradient, checkpoints": checkpointed_gradient,
    "Diffrax: gradient, 4 checkpoints": few_checkpoints,
    "Diffrax: gradient, direct": direct_gradient,
    "Diffrax: gradient, backsolve": backsolved_gradient,
    "Diffrax: stochastic, batch of 64": stochastic,
    "Lineax: LU and gradient": linear_lu,
    "Lineax: CG and gradient": linear_cg,
    "Lineax: GMRES and gradient": linear_gmres,
    "Lineax: 3 x 3, called directly": linear_called_directly,
    "Optimistix: root and gradient": root,
    "Optimistix: fit": fit,
    "Optimistix: minimum": minimum,
    "Optimistix: fixed point and gradient": equilibrium,
}
