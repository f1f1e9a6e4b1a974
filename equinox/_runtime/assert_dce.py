"""`assert_dce`: an error, unless the compiler finds out that something is never used."""

from typing import TypeVar

import jax
import jax.numpy as jnp

from .error_if import Response, error_if
from .tracing import is_tracing

_T = TypeVar("_T")


def assert_dce(x: _T, msg: str, *, on_error: Response = "default") -> _T:
    """Raise an error, at run time, unless `x` is dead code: something that is computed from it is used.

    This is for tests of what the compiler removes. It does nothing outside of `jax.jit`.

    **Arguments**

    - `x`: any PyTree, of which at least one leaf must be an array.
    - `msg`: the message of the error.
    - `on_error`: as for [`error_if`][equinox.error_if].

    **Returns**

    `x`.

    **Raises**

    - `EquinoxRuntimeError`: `x` is used.

    **Example**
    ```python
    >>> @eqx.filter_jit
    ... def first(x):
    ...     assert_dce(x + 1, "the sum is used")
    ...     return x
    >>> first(jnp.array(1.0))
    Array(1., dtype=float32, weak_type=True)

    ```
    """
    if not is_tracing():
        return x
    # Always true, which the compiler is not to know: the check would be known to fail while the function is traced.
    always = jax.lax.optimization_barrier(jnp.array(True))  # type: ignore[no-untyped-call] # it has no annotations
    return error_if(x, always, msg, on_error=on_error)
