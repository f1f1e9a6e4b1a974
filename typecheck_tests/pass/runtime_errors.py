"""An iterative solver that says how it ended, and whose input is checked."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Result(eqx.Enumeration):
    done = "The solver has converged."
    too_many_steps = "The solver did not converge within the given number of steps."


class Newton(eqx.Module):
    tolerance: float = 1e-5
    max_steps: int = 20

    def solve(self, function: Callable[[Array], Array], start: Array) -> tuple[Array, Result]:
        start = eqx.error_if(start, jnp.isnan(start), "The start must be a number.")

        def is_unfinished(state: tuple[Array, Array]) -> Array:
            x, step = state
            return (step < self.max_steps) & (jnp.abs(function(x)) > self.tolerance)

        def improve(state: tuple[Array, Array]) -> tuple[Array, Array]:
            x, step = state
            return x - function(x) / eqx.filter_grad(function)(x), step + 1

        x, step = jax.lax.while_loop(is_unfinished, improve, (start, jnp.array(0)))
        return x, Result.where(step < self.max_steps, Result.done, Result.too_many_steps)


@eqx.filter_jit
@eqx.debug.assert_max_traces(max_traces=1)
def square_root(solver: Newton, y: Array) -> Array:
    x, result = solver.solve(lambda x: x**2 - y, start=y)
    return result.error_if(x, result != Result.done)


def report(solver: Newton, y: Array) -> str:
    try:
        return f"{square_root(solver, y):.4f}"
    except eqx.EquinoxRuntimeError as error:
        return next(line for line in str(error).splitlines() if "did not converge" in line)


solver = Newton()
assert report(solver, jnp.array(2.0)) == "1.4142"
assert report(solver, jnp.array(-2.0)) == "The solver did not converge within the given number of steps."
assert eqx.debug.get_num_traces(square_root) == 1
