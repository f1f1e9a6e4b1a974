"""An ensemble of models, trained together, on shapes that were checked first."""

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Line(eqx.Module):
    slope: Array
    intercept: Array

    def __init__(self, key: Array) -> None:
        self.slope, self.intercept = jax.random.normal(key, (2,))

    def __call__(self, x: Array) -> Array:
        return self.slope * x + self.intercept


def descend(gradient: Array) -> Array:
    return -0.1 * gradient


@eqx.filter_vmap(in_axes=(eqx.if_array(0), None, None))
def train(line: Line, x: Array, y: Array) -> Line:
    @eqx.filter_grad
    def gradient(line: Line) -> Array:
        return jnp.mean((eqx.filter_vmap(line)(x) - y) ** 2)

    return eqx.apply_updates(line, jax.tree.map(descend, gradient(line)))


def main() -> None:
    x = jnp.linspace(-1.0, 1.0, 5)
    shape: Line = eqx.filter_eval_shape(Line, jax.random.key(0))
    assert shape.slope.shape == ()
    lines: Line = eqx.filter_vmap(Line)(jax.random.split(jax.random.key(0), 3))
    lines = eqx.filter_shard(lines, jax.devices()[0])
    for _ in range(2):
        lines = eqx.filter_jit(train)(lines, x, 2 * x)
    assert lines.slope.shape == (3,)
    program, _, _ = eqx.filter_make_jaxpr(train)(lines, x, x)
    print(program.eqns[0].primitive)

    def total(line: Line) -> Array:
        return jnp.sum(line(x))

    converted = eqx.filter_closure_convert(total, shape)
    print(converted.out_struct, len(converted.consts))


if __name__ == "__main__":
    main()
