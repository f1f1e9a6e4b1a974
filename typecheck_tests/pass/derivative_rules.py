"""A root that is differentiated by its own rule, found with Jacobians, and a layer whose gradient is clipped."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Circle(eqx.Module):
    radius: Array
    slope: Array
    name: str = "circle"

    def residual(self, point: Array) -> Array:
        x, y = point[0], point[1]
        return jnp.stack([x**2 + y**2 - self.radius**2, y - self.slope * x])


def solve(matrix: Array, right: Array) -> Array:
    a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    return jnp.stack([d * right[0] - b * right[1], a * right[1] - c * right[0]]) / (a * d - b * c)


@eqx.filter_custom_jvp
def intersection(circle: Circle, start: Array, *, steps: int = 6) -> Array:
    jacobian = eqx.filter_jacfwd(circle.residual)
    point = start
    for _ in range(steps):
        point = point - solve(jacobian(point), circle.residual(point))
    return point


@intersection.def_jvp
def intersection_jvp(
    primals: tuple[Circle, Array], tangents: tuple[Circle, Array | None], *, steps: int = 6
) -> tuple[Array, Array]:
    circle, start = primals
    of_circle, _ = tangents
    point = intersection(circle, start, steps=steps)
    _, change = eqx.filter_jvp(Circle.residual, (circle, point), (of_circle, None))
    return point, -solve(eqx.filter_jacrev(circle.residual)(point), change)


@eqx.filter_custom_vjp
def clipped(x: Array, limit: float) -> Array:
    return x


@clipped.def_fwd
def clipped_fwd(perturbed: bool, x: Array, limit: float) -> tuple[Array, None]:
    return x, None


@clipped.def_bwd
def clipped_bwd(residuals: None, grad_out: Array | None, perturbed: bool, x: Array, limit: float) -> Array | None:
    return None if grad_out is None else jnp.clip(grad_out, -limit, limit)


class Deep(eqx.Module):
    layers: list[Callable[[Array], Array]]

    @eqx.filter_checkpoint(policy=jax.checkpoint_policies.nothing_saveable)
    def __call__(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer(x)
        return x


def main() -> None:
    circle = Circle(jnp.array(5.0), jnp.array(0.75))
    point = intersection(circle, jnp.array([1.0, 1.0]))
    assert jnp.allclose(point, jnp.array([4.0, 3.0]), atol=1e-4)

    def horizontal(circle: Circle) -> Array:
        return intersection(circle, jnp.array([1.0, 1.0]), steps=7)[0]

    gradient = eqx.filter_jit(eqx.filter_grad(horizontal))(circle)
    assert jnp.allclose(gradient.radius, 0.8, atol=1e-4)
    assert jnp.allclose(gradient.slope, -5 * 0.75 / (1 + 0.75**2) ** 1.5, atol=1e-4)

    def square(x: Array, limit: float) -> Array:
        return clipped(x, limit) ** 2

    out, vjp = eqx.filter_vjp(square, jnp.array([0.1, 3.0]), 0.5)
    clipped_gradient, _ = vjp(jnp.ones_like(out))
    assert jnp.allclose(clipped_gradient, jnp.array([0.2, 0.5]))

    deep = Deep([jnp.sin, jnp.tanh])

    def total(x: Array) -> Array:
        return jnp.sum(deep(x))

    hessian = eqx.filter_hessian(total)(jnp.array([0.0, 1.0]))
    assert hessian.shape == (2, 2)


main()
