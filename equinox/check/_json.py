"""Results as JSON, for programs to read."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from .._tree.sizes import list_structs
from ._result import CallResult, Failure, Result


def format_json(results: Sequence[Result], checker: str | None, *, with_traceback: bool) -> str:
    """Write results down for programs to read.

    The object has the keys `ok`, `annotations` (the name of the package that checked them, or null) and `targets`. Each
    of the latter has the attributes of a [`Result`][equinox.check.Result] except `model`, each of its `calls` those of
    a [`CallResult`][equinox.check.CallResult], where `output` lists the arrays with their `path`, `shape` and `dtype`.
    A `failure` is null, or has the attributes of a [`Failure`][equinox.check.Failure].

    **Arguments**

    - `results`: of the targets, in this order.
    - `checker`: the name of the package that annotations were checked with, if they were.
    - `with_traceback`: whether a failure has the key `traceback`.
    """

    def of_failure(failure: Failure | None) -> dict[str, Any] | None:
        if failure is None:
            return None
        fields = dataclasses.asdict(failure)
        return fields if with_traceback else {name: value for name, value in fields.items() if name != "traceback"}

    def of_call(call: CallResult) -> dict[str, Any]:
        return {
            "arguments": call.arguments,
            "ok": call.ok,
            "output": None if call.failure else list_structs(call.output),
            "failure": of_failure(call.failure),
        }

    def of_result(result: Result) -> dict[str, Any]:
        return {
            "target": result.target,
            "ok": result.ok,
            "init": result.init,
            "parameters": result.parameters,
            "bytes": result.bytes,
            "calls": [of_call(call) for call in result.calls],
            "failure": of_failure(result.failure),
        }

    content = {
        "ok": all(result.ok for result in results),
        "annotations": checker,
        "targets": [of_result(result) for result in results],
    }
    return json.dumps(content, indent=2) + "\n"
