"""The user's stack at the place of a check, and which part of it lies inside of which compiled function.

A check fails long after it was traced. By then the stack is that of whoever called the compiled program, and where in
the program the check was written is known only if that was noted down at the time of tracing: as file names, line
numbers and names of functions, never as frames, which would keep everything alive that they can see.
"""

import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

_T = TypeVar("_T")

_HIDDEN_PACKAGES: Final = frozenset({"equinox", "jax", "jaxlib"})


class Entry(NamedTuple):
    """The place on the stack where a compiled function calls what the user wrote."""

    program: object


#: From the innermost frame outwards.
Stack: TypeAlias = tuple[traceback.FrameSummary | Entry, ...]


def enter(program: object, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
    """Call a function as the entry to a compiled program; its frame on the stack is found by `capture`."""
    return function(*args, **kwargs)


def capture() -> Stack:
    """Note down the user's frames, up to the outermost compiled function; none if there is no such function."""
    stack: list[traceback.FrameSummary | Entry] = []
    length = 0
    for frame in _frames(inspect.currentframe()):
        if frame.f_code is enter.__code__:
            stack.append(Entry(frame.f_locals["program"]))
            length = len(stack)
        elif frame.f_globals.get("__name__", "").partition(".")[0] not in _HIDDEN_PACKAGES:
            code = frame.f_code
            stack.append(traceback.FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False))
    return tuple(stack[:length])


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def inside(program: object, stack: Stack) -> list[traceback.FrameSummary]:
    """The frames inside of one compiled program, the outermost first.

    If the stack does not lead through that program, JAX took a part of it from its caches which was traced inside of
    another one; what is known to have been called is then the innermost function.
    """
    entries = {i: item for i, item in enumerate(stack) if isinstance(item, Entry)}
    end = next((i for i, entry in entries.items() if entry.program is program), min(entries, default=0))
    return [item for item in reversed(stack[:end]) if not isinstance(item, Entry)]


def show(frames: Sequence[traceback.FrameSummary]) -> str:
    """Format frames as Python does in tracebacks."""
    return "".join(traceback.StackSummary.from_list(frames).format())
