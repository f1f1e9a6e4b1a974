"""How error messages name a leaf and say what was found there.

Every message of this library that concerns one leaf of a PyTree says which argument it is in and the key path that
leads to it, so that it can be found in a model of a thousand leaves. These functions are the one place that spells that
out.
"""

import inspect
from types import FrameType
from typing import Any, cast

import jax
import numpy as np

from ._jax_tree import KeyPath, keystr


def locate(argument: str, path: KeyPath = ()) -> str:
    """Say where a leaf is: ``argument `model`, leaf `.layers[0].weight` `` or, for a bare leaf, ``argument `x` ``."""
    if not path:
        return f"argument `{argument}`"
    return f"argument `{argument}`, leaf `{keystr(path)}`"


def describe(value: Any) -> str:
    """Say in a few words what a value is, without printing the value of an array.

    **Example**
    ```python
    >>> import numpy as np
    >>> describe(np.zeros((2, 3)))
    'a NumPy array (float64[2,3])'
    >>> describe("text")
    "a value of type `str`: 'text'"

    ```
    """
    if isinstance(value, (jax.Array, np.ndarray)):
        shape = ",".join(map(str, cast(tuple[int, ...], value.shape)))
        kind = "NumPy" if isinstance(value, np.ndarray) else "JAX"
        return f"a {kind} array ({value.dtype}[{shape}])"
    text = repr(value)
    if len(text) > 60:
        text = text[:57] + "..."
    cls = type(cast(object, value))
    # Some of NumPy's scalar types are called like Python's own.
    name = f"{cls.__module__}.{cls.__qualname__}" if issubclass(cls, np.generic) else cls.__qualname__
    return f"a value of type `{name}`: {text}"


def is_hashable(value: object) -> bool:
    """Whether a value has a hash."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def first_user_frame(*, through: tuple[str, ...] = ()) -> int:
    """Return the `stacklevel` for `warnings.warn` with which a warning names the user's line.

    That is the first frame outside of this package, and of those that it is called `through`, as seen from the caller
    of this function.
    """
    level = 1
    frame = inspect.currentframe()
    frame = frame and frame.f_back
    while frame is not None and _is_hidden(frame, (str(__package__), *through)):
        frame = frame.f_back
        level += 1
    return level


def _is_hidden(frame: FrameType, packages: tuple[str, ...]) -> bool:
    # The `__init__` that `dataclasses` writes for a class runs in the user's module, but nobody has seen its code.
    is_generated = frame.f_code.co_name == "__init__" and frame.f_code.co_filename == "<string>"
    return is_generated or frame.f_globals.get("__name__", "").partition(".")[0] in packages
