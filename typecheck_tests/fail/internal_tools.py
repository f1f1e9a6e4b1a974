"""Mistakes in calls of what libraries build on."""

from jax import Array

import equinox as eqx
from equinox import internal


@internal.noinline
def slow(x: Array, scale: float = 1.0) -> Array:
    return scale * x


def calling(x: Array) -> None:
    slow()  # error: mypy[call-arg] pyright[reportCallIssue]
    slow(x, scale="2")  # error: mypy[arg-type] pyright[reportArgumentType]
    internal.nontraceable(x, "name")  # error: mypy[call-arg] pyright[reportCallIssue]
    internal.nextafter("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    internal.nonbatchable(x, allow=True)  # error: mypy[call-arg] pyright[reportCallIssue]
    internal.TqdmProgressMeter(10, 20)  # error: mypy[call-arg] pyright[reportCallIssue]


def packing(x: Array) -> None:
    internal.Static(x).value = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    _wrong: int = internal.Static("a").value  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.internal.GetKey("seed")  # error: mypy[arg-type] pyright[reportArgumentType]
