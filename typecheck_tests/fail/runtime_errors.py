"""Mistakes with runtime checks and enumerations."""

from jax import Array

import equinox as eqx


class Result(eqx.Enumeration):
    done = "finished"


class Other(eqx.Enumeration):
    done = "finished"


def checking(x: Array) -> None:
    eqx.error_if(x, x > 0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.error_if(x, x > 0, 3)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.error_if(x, "yes", "message")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.error_if(x, x > 0, "message", on_error="ignore")  # error: mypy[arg-type] pyright[reportArgumentType]
    _name: str = eqx.error_if(x, x > 0, "message")  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.branched_error_if(x, x > 0, "first", ["message"])  # error: mypy[arg-type] pyright[reportArgumentType]


def enumerating(x: Array, result: Result) -> Result:
    result.doen  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    Result.doen  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _name: str = Result.done  # error: mypy[assignment] pyright[reportAssignmentType]
    _text: int = Result[result]  # error: mypy[assignment, misc] pyright[reportAssignmentType]
    if result.error_if(x, x > 0).shaep:  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        pass
    return Other.done  # error: mypy[return-value] pyright[reportReturnType]


@eqx.debug.assert_max_traces(max_traces=1)
def counted(x: Array) -> Array:
    return x


def debugging(x: Array) -> None:
    counted(x, x)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.debug.assert_max_traces(counted)  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.debug.assert_max_traces(counted, max_traces="one")  # error: mypy[call-overload] pyright[reportArgumentType]
    eqx.debug.announce_transform(x, announce=3)  # error: mypy[arg-type] pyright[reportArgumentType]
