"""`breakpoint_if`: open JAX's debugger, but only if a condition holds."""

from typing import Any, cast

import jax
from jax.typing import ArrayLike

from .._runtime.unvmap import unvmap_any


def breakpoint_if(pred: ArrayLike, **kwargs: Any) -> Any:
    """Open JAX's debugger, as `jax.debug.breakpoint` does, if a condition on the values of arrays holds.

    **Arguments**

    - `pred`: the condition: a boolean, or an array of any shape. Under `jax.vmap`, it counts for the whole batch.
    - `**kwargs`: as for `jax.debug.breakpoint`.

    **Returns**

    The `token` among the keyword arguments, or else `None`.

    **Example**
    ```python
    >>> @jax.jit
    ... def root(x):
    ...     eqx.debug.breakpoint_if(x < 0)
    ...     return jnp.sqrt(x)
    >>> root(4.0)
    Array(2., dtype=float32, weak_type=True)

    ```
    """
    token = kwargs.pop("token", None)

    def stop(token: Any) -> Any:
        return jax.debug.breakpoint(token=token, **kwargs)

    def go_on(token: Any) -> Any:
        return token

    return cast(Any, jax.lax.cond(unvmap_any(pred), stop, go_on, token))
