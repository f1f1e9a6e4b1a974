"""Silence what JAX says about donated arrays that it could not use, for those who did not ask for a guarantee.

`warnings.catch_warnings` puts back the filters that it found, so two calls that overlap in two threads can leave the
filters of one of them behind. Here the calls that overlap share one filter, which goes when the last of them ends.
"""

import contextlib
import threading
import warnings
from collections.abc import Generator
from typing import Any, cast

_lock = threading.Lock()
_depth = 0
_filter: Any = None


@contextlib.contextmanager
def silenced_donation_warning() -> Generator[None]:
    """Ignore the warning as long as any thread is inside of the context."""
    global _depth, _filter  # noqa: PLW0603 # the filters are a property of the process, and so is this
    with _lock:
        _depth += 1
        if _depth == 1:
            warnings.filterwarnings("ignore", message="Some donated buffers were not usable")
            _filter = warnings.filters[0]
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _filter in warnings.filters:  # someone else's `catch_warnings` may have removed it
                cast(list[Any], warnings.filters).remove(_filter)  # a list, although typed as a sequence
