"""Mistakes in loops that libraries build on."""

from jax import Array

from equinox.internal import MaybeBuffer, buffer_at_set, scan, while_loop


def is_running(x: Array) -> Array:
    return x > 0


def advance(x: Array) -> Array:
    return x - 1


def other(x: Array) -> str:
    return ""


def looping(x: Array) -> None:
    while_loop(is_running, advance, x)  # error: mypy[call-arg] pyright[reportCallIssue]
    while_loop(is_running, advance, x, kind="other")  # error: mypy[arg-type] pyright[reportArgumentType]
    while_loop(is_running, other, x, kind="lax")  # error: mypy[arg-type] pyright[reportArgumentType]
    while_loop(is_running, advance, x, 3, kind="lax")  # error: mypy[call-arg] pyright[reportCallIssue]


def step(carry: Array, x: Array) -> tuple[Array, Array]:
    return carry, x


def scanning(x: Array) -> None:
    scan(step, x, x)  # error: mypy[call-arg] pyright[reportCallIssue]
    scan(step, x, x, kind="bounded")  # error: mypy[arg-type] pyright[reportArgumentType]
    scan(step, x, x, kind="checkpointed", checkpoints="some")  # error: mypy[arg-type] pyright[reportArgumentType]
    scan(advance, x, x, kind="lax")  # error: mypy[arg-type] pyright[reportArgumentType]


def writing(buffer: MaybeBuffer[Array]) -> None:
    buffer_at_set(buffer, 0, "text")  # error: mypy[arg-type] pyright[reportArgumentType]
    _wrong: str = buffer_at_set(buffer, 0, 1.0)  # error: mypy[assignment] pyright[reportAssignmentType]
