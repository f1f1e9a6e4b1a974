"""From a failed check to an exception: what travels through JAX, and how it is recognised at the other end.

A check fails in a callback, on a thread of the XLA runtime. All that gets from there to the caller is text, that of
whatever exception JAX makes of it. So each failure has a number, which is in the text, and by which it is found again.

In a program for several devices, one of them must not stop: the others would wait for it until XLA ends the process.
There, the callback returns, and the failure is handed over to the call that waits for the program.
"""

import collections
import contextlib
import dataclasses
import itertools
import re
from collections.abc import Collection, Generator
from typing import Final

from .errors import EquinoxRuntimeError
from .stack import Stack, inside, show

_ABOVE: Final = "Above is the stack outside of JIT. "
_HELP: Final = """\
A runtime check in your program failed; its message is the last thing above this line.
Environment variables that help to find out why:
- `EQX_ON_ERROR=breakpoint` opens a debugger at the check; `EQX_ON_ERROR=nan` goes on with NaNs.
- `JAX_DISABLE_JIT=1` runs everything as ordinary Python, which any debugger can follow.
"""


class CheckFailedError(EquinoxRuntimeError):
    """What a failed check raises inside of JAX's runtime. Users see it if nothing translates it for them."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A check that failed: what it says, and where it is."""

    message: str
    stack: Stack

    def error(self, program: object = None) -> EquinoxRuntimeError:
        """The exception for the user, as a part of `program`; by default, as raised where the check was called."""
        frames = inside(program, self.stack)
        if frames:
            start = f"{_ABOVE}Below is the stack inside of JIT, as it was when the function was traced:\n{show(frames)}"
        else:
            start = f"{_ABOVE}There is none inside of it to show.\n"
        return EquinoxRuntimeError(f"{start}\n{self.message}\n\n{'-' * 20}\n{_HELP}")


_numbers: Final = itertools.count(1)
_NUMBER: Final = re.compile(r"\[failed check (\d+)\]")

#: The last failures. Nobody can say when one is no longer needed: of plain `jax.jit`, none ever is.
_recent: Final[collections.OrderedDict[int, Failure]] = collections.OrderedDict()
_MAX_RECENT: Final = 256


def report(failure: Failure) -> CheckFailedError:
    """The exception to raise in a callback."""
    number = next(_numbers)
    _recent[number] = failure
    while len(_recent) > _MAX_RECENT:
        _recent.popitem(last=False)
    return CheckFailedError(
        f"{failure.message}\n\nThis is a runtime check inside of `jax.jit` or `jax.pmap`. With `equinox.filter_jit` "
        f"instead, its failure is an `EquinoxRuntimeError` that shows where the check is. [failed check {number}]\n"
    )


def recognise(error: BaseException) -> Failure | None:
    """The failure that is the reason for an exception of JAX, if there is one."""
    found = _NUMBER.search(str(error))
    return _recent.get(int(found[1])) if found else None


class Waiting:
    """A call that waits for a program with these checks in it, and the first of them that failed meanwhile."""

    def __init__(self, checks: Collection[object]) -> None:
        self.checks = checks
        self.failure: Failure | None = None


_waiting: Final[list[Waiting]] = []


@contextlib.contextmanager
def waiting_for(checks: Collection[object]) -> Generator[Waiting]:
    """Be a call that failures can be handed over to."""
    call = Waiting(checks)
    _waiting.append(call)
    try:
        yield call
    finally:
        _waiting.remove(call)


def hand_over(check: object, failure: Failure) -> bool:
    """Give a failure to the call that waits for it; false if there is none."""
    # If a program runs for several threads at once, all are told: nobody can say for which of them it failed.
    calls = [call for call in tuple(_waiting) if check in call.checks]
    for call in calls:
        call.failure = call.failure or failure
    return bool(calls)
