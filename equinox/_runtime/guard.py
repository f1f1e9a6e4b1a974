"""What a compiled function does about the runtime checks in it: wait for its result, and raise their errors.

Nobody else pays for that: a program without checks is called directly, and the call returns before it has finished.
Whether there are checks in a program is found out when it is traced, by looking for them in the jaxpr. (To take note
when `error_if` is called would not do: JAX traces a function once, and makes the result a part of many programs.)
"""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, cast

import jax

from . import callback_log
from .failures import recognise, waiting_for

#: What JAX raises when a callback fails: the latter, if it already knows the program when it is called.
_FAILURES: Final = (cast(type[RuntimeError], jax.errors.JaxRuntimeError), ValueError)

#: The primitives that are runtime checks: none, until the module that defines them is loaded. Which check an equation
#: is, its parameter `check` says.
CHECK_PRIMITIVES: Final[set[Any]] = set()

#: Primitives whose implementation is only looked at when a program is compiled. There may be checks in it, of which
#: the jaxpr shows nothing, so these count as checks.
OPAQUE_PRIMITIVES: Final[set[Any]] = set()


callback_log.install()


class UninspectedError(Exception):
    """JAX is about to trace a program whose runtime checks, if it has any, the present call would not notice."""


class Guard:
    """What is known about the runtime checks in one compiled function.

    **Arguments**

    - `when_found`: called when the first checks are found.
    """

    def __init__(self, when_found: Callable[[], None]) -> None:
        #: Those that are known to be in the program, in one of its versions for different shapes and dtypes.
        self.checks: set[Any] = set()
        #: Stands for the compiled function on stacks, which may live longer.
        self.program: object = object()
        self._when_found = when_found
        self._inspecting: set[int] = set()

    def before_trace(self) -> None:
        """To be called first of all when the function is traced. Raises an error if nobody would look at the result."""
        if threading.get_ident() not in self._inspecting and not is_jit_disabled():
            raise UninspectedError

    @contextlib.contextmanager
    def inspecting(self) -> Generator[None]:
        """Let the function be traced. The jaxpr must then be passed to `inspect`."""
        thread = threading.get_ident()
        if thread in self._inspecting:  # it calls itself
            yield
            return
        self._inspecting.add(thread)
        try:
            yield
        finally:
            self._inspecting.discard(thread)

    def inspect(self, jaxpr: Any) -> None:
        """See whether there are checks in what the function has been traced to."""
        if not (CHECK_PRIMITIVES or OPAQUE_PRIMITIVES):
            return
        had_checks = bool(self.checks)
        self.checks.update(_checks((jaxpr,), set()))
        if self.checks and not had_checks:
            self._when_found()

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What to call instead of the compiled function: the same, unless there are checks in it."""
        if not self.checks:
            return call

        def guarded(*arrays: Any) -> Any:
            with waiting_for(self.checks) as waiting:
                try:
                    output = call(*arrays)
                    jax.block_until_ready(output)  # type: ignore[no-untyped-call] # it has no annotations
                    failure = waiting.failure
                    if failure is None:
                        return output
                except _FAILURES as error:
                    failure = waiting.failure or recognise(error)
                    if failure is None:
                        raise
            _forget_failed_effects()
            raise failure.error(self.program) from None

        return guarded


def is_jit_disabled() -> bool:
    """Whether compiled functions run as ordinary Python at the moment."""
    return bool(getattr(jax.config, "jax_disable_jit"))  # noqa: B009 # JAX's types do not have its options


def _checks(values: Iterable[Any], seen: set[int]) -> Iterator[Any]:
    """The checks in the jaxprs among these parameters of an equation, and deeper inside."""
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _checks(cast(Iterable[Any], value), seen)
            continue
        jaxpr = getattr(value, "jaxpr", value)  # of a closed one
        equations = getattr(jaxpr, "eqns", None)
        if equations is None or id(jaxpr) in seen:
            continue
        seen.add(id(jaxpr))
        for equation in equations:
            if equation.primitive in CHECK_PRIMITIVES:
                yield equation.params["check"]
            elif equation.primitive in OPAQUE_PRIMITIVES:
                yield equation.primitive
            else:
                yield from _checks(equation.params.values(), seen)


def _forget_failed_effects() -> None:
    """Keep JAX from raising the same error again when the interpreter exits.

    It then waits for ordered effects, such as those of `jax.debug.print(..., ordered=True)`, and one that should have
    come after the check fails with it.
    """
    try:
        jax.effects_barrier()  # type: ignore[no-untyped-call] # it has no annotations
    except _FAILURES as error:
        if recognise(error) is None:
            raise
        # JAX offers no public way to do this; without it, a traceback is printed at exit, and nothing else changes.
        with contextlib.suppress(ImportError, AttributeError):
            from jax._src.dispatch import runtime_tokens  # noqa: PLC0415 # private, so it may be gone

            runtime_tokens.clear()  # type: ignore[no-untyped-call] # it has no annotations
