"""What is traced even outside of compiled functions: compiled as a whole, so that this does not happen at every call.

JAX compiles a loop for the functions that it is given. Ours are made anew at each call, around those of the user; but
`filter_jit` recognises the latter. And if a runtime check fails in the loop, that is the error that one expects.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax

from .._runtime.tracing import is_tracing
from .calls import UnhashableLeafError
from .jit import filter_jit

_R = TypeVar("_R")


def compiled_if_eager(implementation: Callable[..., _R], functions: Any, *args: Any) -> _R:
    """Return `implementation(functions, *args)`.

    What was compiled is kept as long as the first of the `functions`, if they are Python functions.
    """
    if is_tracing():
        return implementation(functions, *args)
    partial: Any = jax.tree_util.Partial  # of unknown type
    try:
        result: _R = filter_jit(partial(implementation, functions))(*args)
    except UnhashableLeafError:  # it cannot be recognised
        return implementation(functions, *args)
    return result
