"""Runtime checks return what they are given; items of an enumeration have its type."""

from typing import Any, assert_type

import jax
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array


class Result(eqx.Enumeration):
    done = "finished"
    stalled = "no progress"


def checking(model: Model, x: Array, pair: tuple[Array, str]) -> None:
    assert_type(eqx.error_if(x, x < 0, "negative"), Array)
    assert_type(eqx.error_if(model, False, "never", on_error="nan"), Model)
    assert_type(eqx.error_if(pair, x.any(), "negative"), tuple[Array, str])
    assert_type(eqx.branched_error_if(model, x > 0, x, ["a", "b"]), Model)


def catching(x: Array) -> Array | None:
    try:
        return eqx.error_if(x, x < 0, "negative")
    except eqx.EquinoxTracetimeError as error:
        assert_type(error, eqx.EquinoxTracetimeError)
    except eqx.EquinoxRuntimeError as error:
        assert_type(error, eqx.EquinoxRuntimeError)
        _as_builtin: RuntimeError = error
    return None


def enumerating(x: Array, result: Result) -> None:
    _base: type[eqx.Enumeration] = Result
    _item: Result = Result.done
    assert_type(Result.where(x > 0, Result.done, result), Result)
    assert_type(result == Result.done, Array)
    assert_type(result != Result.done, Array)
    assert_type(result.error_if(x, x > 0), Array)
    assert_type(result.is_traced(), bool)
    assert_type(len(Result), int)
    assert_type(list(Result), list[Result])
    assert_type(result in Result, bool)
    assert_type(Result[result], str)  # gap: mypy(enumeration-lookup) pyrefly(enumeration-lookup) zuban(enumeration-lookup)


@jax.jit
def solve(x: Array) -> Result:
    return Result.where(x > 0, Result.done, Result.stalled)


def debugging(model: Model, x: Array, pair: tuple[Array, int]) -> None:
    assert_type(eqx.debug.announce_transform(model, name="model", announce=print), Model)
    assert_type(eqx.debug.backward_nan(pair), tuple[Array, int])
    assert_type(eqx.debug.store_dce(model, "name"), Model)
    assert_type(eqx.debug.inspect_dce("name"), None)
    assert_type(eqx.debug.breakpoint_if(x > 0, token=x), Any)


@eqx.debug.assert_max_traces(max_traces=1)
def counted(x: Array, y: int = 2) -> Array:
    return x * y


def counting(x: Array) -> None:
    assert_type(counted(x, y=1), Array)
    assert_type(eqx.debug.assert_max_traces(counted, max_traces=None)(x), Array)
    assert_type(eqx.debug.get_num_traces(counted), int)
