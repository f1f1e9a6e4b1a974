"""Keep JAX from logging what is also raised: the failure of a callback inside of a compiled function of this library.

JAX logs every exception of a callback, with its traceback, because the callback may run long after the call that it
belongs to has returned. If that call is still waiting, it raises the same error, with the same traceback.
"""

import inspect
import logging
from typing import Final

from .errors import EquinoxRuntimeError

#: The module that calls compiled functions. (What runs a callback on the thread of the call keeps the stack as it is.)
_CALLER: Final = "equinox._transforms.dispatch"


def _is_news(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return error is None or not (isinstance(error, EquinoxRuntimeError) or _is_call_waiting())


def _is_call_waiting() -> bool:
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == _CALLER:
            return True
        frame = frame.f_back
    return False


def install() -> None:
    """Add a filter to JAX's logger, which is found by its name; under another name, nothing is filtered."""
    logging.getLogger("jax._src.callback").addFilter(_is_news)
