"""Mistakes in asking for explanations."""

from jax import Array

import equinox as eqx


@eqx.filter_jit
def run(x: Array, times: int = 1) -> str:
    return ""


def explain(x: Array) -> None:
    eqx.aot(run).explain("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.aot(run).explain()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.aot(run).explain(x, tiems=3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.aot(run).explain(x).hitt  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.aot(run).explain(x).hit = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    with eqx.debug.log_recompiles("on"):  # error: mypy[arg-type] pyright[reportArgumentType]
        pass
