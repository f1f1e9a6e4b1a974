"""`error_if` and `branched_error_if`: errors that depend on the values of arrays, inside of compiled functions too."""

import inspect
import operator
import pdb  # noqa: T100 # this is what it is for
import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .._errors import describe, first_user_frame
from .._jax_tree import tree_flatten
from .._tree.predicates import is_array, is_array_like
from .arrays import is_jax_array, map_arrays
from .check import Check, check_p, meaningless
from .environment import BREAKPOINT_FRAMES, ON_ERROR, ON_ERROR_VALUES, OnError
from .errors import EquinoxTracetimeError
from .stack import capture
from .tracing import is_tracing
from .unvmap import unvmap_any

_T = TypeVar("_T")
Response: TypeAlias = Literal["default", "raise", "breakpoint", "nan", "off"]
"""What `on_error` may be."""


def error_if(x: _T, pred: ArrayLike, msg: str, *, on_error: Response = "default") -> _T:
    """Raise an error if a condition on the values of arrays holds; works inside of `filter_jit` and all the others.

    The check happens after `x` has been computed and before the returned value is used. So it has to be used: if it
    is not, the check may be removed as dead code.

    **Arguments**

    - `x`: any PyTree, of which at least one leaf must be an array.
    - `pred`: the condition: a boolean, or an array of any shape, of which no element may be true.
    - `msg`: the message of the error.
    - `on_error`: `"raise"` an error; or open a debugger (`"breakpoint"`) and go on as with `"nan"`; or replace `x` by
      NaNs, the greatest integers, and `True`s (`"nan"`); or do not check anything (`"off"`). `"default"` is what the
      environment variable `EQX_ON_ERROR` says, or else `"raise"`.

    **Returns**

    `x`.

    **Raises**

    - `EquinoxRuntimeError`: the condition holds. If `jax.jit` was used instead of `filter_jit`, it is JAX's
      `JaxRuntimeError`, with the message in its text; but where the compiler has split the program over several
      devices, the message is logged as an error, and the program goes on as with `"nan"`. If the condition is known to
      hold while the function is being traced, it is an `EquinoxTracetimeError`.
    - `ValueError`: there is no array in `x`.
    - `TypeError`: `pred` is no boolean or integer, nor an array of these; or `msg` is no string.
    - `RuntimeError`: there is no such `on_error`.

    **Example**
    ```python
    >>> @eqx.filter_jit
    ... def root(x):
    ...     x = eqx.error_if(x, x < 0, "x must not be negative")
    ...     return jnp.sqrt(x)
    >>> root(jnp.array(4.0))
    Array(2., dtype=float32, weak_type=True)
    >>> root(jnp.array(-4.0))
    Traceback (most recent call last):
        ...
    EquinoxRuntimeError: Above is the stack outside of JIT...

    ```
    """
    _check_message("msg", msg)
    return branched_error_if(x, pred, 0, [msg], on_error=on_error)


def branched_error_if(
    x: _T, pred: ArrayLike, index: ArrayLike, msgs: Sequence[str], *, on_error: Response = "default"
) -> _T:
    """Raise one of several errors if a condition on the values of arrays holds. See [`error_if`][equinox.error_if].

    **Arguments**

    - `x`, `pred`, `on_error`: as for `error_if`.
    - `index`: an integer, which may depend on the values of arrays: which of the messages applies. If it is an array
      of several, the greatest among those for which `pred` is true.
    - `msgs`: the messages.

    **Returns**

    `x`.

    **Raises**

    - as `error_if`; and
    - `IndexError`: `index` is known while the function is being traced, and there is no such message. (If it is not
      known by then, the runtime error says so.)

    **Example**
    ```python
    >>> messages = ["x is too small", "x is too large"]
    >>> x = jnp.array(3.0)
    >>> eqx.branched_error_if(x, (x < 0) | (x > 4), jnp.where(x < 0, 0, 1), messages)
    Array(3., dtype=float32, weak_type=True)

    ```
    """
    response = _resolve(on_error)
    if response == "off":
        return x
    if isinstance(msgs, str):
        raise TypeError(f"argument `msgs`: found {describe(msgs)}, expected a sequence of strings.")
    messages = tuple(msgs)
    for i, message in enumerate(messages):
        _check_message(f"msgs[{i}]", message)
    is_python = not is_array(pred)
    if not is_array_like(pred) or isinstance(pred, (float, complex)) or _is_of_inexact(pred):
        raise TypeError(
            f"argument `pred`: found {describe(pred)}, expected a boolean, or an array of booleans, such as what a "
            "comparison returns."
        )
    if is_python and not pred:
        return x
    is_known = not isinstance(pred, Tracer)
    if not is_python:
        _check_for_arrays(x)
        if is_known and not np.asarray(pred).any():
            return x
    number = _known_index(pred, index, len(messages))
    if is_known and number is not None and (is_python or is_tracing()):
        if response == "raise":
            raise EquinoxTracetimeError(messages[number])
        if response == "nan":
            warnings.warn(f"Replaced by NaNs: {messages[number]}", UserWarning, stacklevel=first_user_frame())
            return map_arrays(lambda arrays: [meaningless(array) for array in arrays], x)
        print(messages[number])  # noqa: T201 # this is what it is for
        _open_debugger()
    _check_for_arrays(x)
    failed = jnp.any(jnp.asarray(pred))
    which = _traced_index(pred, index) if number is None else jnp.asarray(number, jnp.int32)
    return map_arrays(lambda arrays: _check(arrays, failed, which, messages, response), x)


def _check_message(argument: str, message: object) -> None:
    if not isinstance(message, str):
        raise TypeError(
            f"argument `{argument}`: found {describe(message)}, expected a string, the message of the error."
        )


def _is_of_inexact(array: Any) -> bool:
    return is_array(array) and jnp.issubdtype(array.dtype, np.inexact)


def _resolve(on_error: str) -> OnError:
    if on_error == "default":
        return ON_ERROR
    if on_error not in ON_ERROR_VALUES:
        raise RuntimeError(
            f"argument `on_error`: found {on_error!r}, expected one of {', '.join(map(repr, ON_ERROR_VALUES))} or "
            "'default'."
        )
    return cast(OnError, on_error)


def _check_for_arrays(x: Any) -> None:
    if not any(map(is_jax_array, tree_flatten(x)[0])):
        raise ValueError(
            f"argument `x`: found {describe(x)}, in which there is no array. The check happens between computing `x` "
            "and using what is returned, so there must be one that depends on it."
        )


def _known_index(pred: Any, index: Any, count: int) -> int | None:
    """The index as a Python integer that is at least 0; None if it is not known yet."""
    if isinstance(index, Tracer):
        return None
    if np.ndim(index) > 0:
        if isinstance(pred, Tracer):
            return None
        indices, predicates = np.broadcast_arrays(np.asarray(index), np.asarray(pred))
        index = np.max(indices[predicates != 0])
    try:
        number = operator.index(index if isinstance(index, int) else np.asarray(index).item())
    except TypeError:
        raise TypeError(f"argument `index`: found {describe(index)}, expected an integer.") from None
    if not -count <= number < count:
        raise IndexError(f"argument `index`: found {number}, but there are {count} messages in `msgs`.")
    return number % count


def _traced_index(pred: Any, index: Any) -> jax.Array:
    which = jnp.asarray(index)
    if not jnp.issubdtype(which.dtype, jnp.integer):
        raise TypeError(f"argument `index`: found {describe(index)}, expected an integer.")
    which = which.astype(jnp.int32)
    if which.ndim > 0:
        which, applies = jnp.broadcast_arrays(which, jnp.asarray(pred).astype(bool))
        which = jnp.max(which, where=applies, initial=np.iinfo(np.int32).min)
    return which


def _check(
    arrays: list[jax.Array], failed: jax.Array, index: jax.Array, messages: tuple[str, ...], response: OnError
) -> list[jax.Array]:
    stack = capture()
    if response == "breakpoint":
        # The debugger needs what printing has returned, so it opens afterwards.
        printing = Check(messages, "print", stack)
        is_failed, *arrays = check_p.bind(failed, index, unvmap_any(failed), *arrays, check=printing)
        jax.lax.cond(is_failed, lambda: jax.debug.breakpoint(num_frames=BREAKPOINT_FRAMES), lambda: None)
    check = Check(messages, "raise" if response == "raise" else "nan", stack)
    return check_p.bind(failed, index, *arrays, check=check)  # type: ignore[no-any-return] # JAX's primitives are untyped


def _open_debugger() -> None:
    """Stop in Python's debugger, in the frame of the user's function."""
    frame = inspect.currentframe()
    for _ in range(first_user_frame() - 1):
        frame = frame and frame.f_back
    debugger = pdb.Pdb()
    debugger.reset()
    debugger.interaction(frame, None)
