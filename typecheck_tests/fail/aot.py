"""Mistakes in compiling ahead of time."""

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    @eqx.filter_jit
    def apply(self, x: Array) -> Array:
        return self.weight


@eqx.filter_jit
def run(x: Array, times: int = 1) -> str:
    return ""


def stages(model: Model, x: Array) -> None:
    eqx.aot(3)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.aot(run).lower("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.aot(run).lower()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.aot(run).lower(x, tiems=3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.aot(run).trace("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.aot(run).eval_shape("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.aot(run).lower(x).compile()("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    _output: Array = eqx.aot(run).lower(x).compile()(x)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.aot(run).lower(x)(x)  # error: mypy[operator] pyright[reportCallIssue]
    eqx.aot(run).lowr(x)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.aot(model.apply).lower(model, x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]
    # All right: a struct may stand for any array, which no type can say.
    eqx.aot(run).lower(jax.ShapeDtypeStruct((3,), jnp.float32))  # gap: all(struct)
