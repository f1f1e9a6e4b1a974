"""What a check finds out: results for a target and for each call of it, with the failure where there is one."""

import dataclasses
from typing import Any, Literal, TypeAlias

PyTree: TypeAlias = Any

Phase: TypeAlias = Literal["load", "build", "arguments", "call"]
"""What was going on: importing the target, building the model, evaluating the arguments of a call, or calling."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """An error that was raised by what is checked, and where."""

    phase: Phase
    #: The name of the class of the exception.
    error: str
    message: str
    #: The key path to the innermost Module whose method was running: `.layers[3].attention`, the empty string for the
    #: model itself, `model.layers[3]` where `model` is an argument. `[*]` stands for one of several that look the same.
    #: It is None where no method of a Module in the model or in the arguments was running, as while building.
    path: str | None
    #: The classes of all Modules whose methods were running, outermost first.
    modules: tuple[str, ...]
    #: File and line of the innermost frame of the checked code; that of an installed package only if there is no other.
    source: str | None
    #: As Python would have printed it.
    traceback: str


@dataclasses.dataclass(frozen=True)
class CallResult:
    """What came of one call."""

    #: The arguments, as they were written.
    arguments: str
    #: What the call returns, with a `jax.ShapeDtypeStruct` for each array; None after a failure.
    output: PyTree
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether there was no error."""
        return self.failure is None


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of building one target and of calling it."""

    target: str
    #: The arguments it was built from, as they were written, or None if it was not built.
    init: str | None = None
    #: The model, with a `jax.ShapeDtypeStruct` for each array; None if the target is a function, or after a failure.
    model: PyTree = None
    #: How many numbers there are in the floating-point and complex arrays of the model, or None if there is no model.
    parameters: int | None = None
    #: How many bytes all of its arrays take, or None if there is no model.
    bytes: int | None = None
    #: One for each call, none after a failure to build.
    calls: tuple[CallResult, ...] = ()
    #: Why there is no model to call.
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether there was no error, neither in building nor in any call."""
        return self.failure is None and all(call.ok for call in self.calls)
