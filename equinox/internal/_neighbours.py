"""`nextafter` and `prevbefore`: the next floating-point number up or down, as differentiable functions.

Numbers so small that they lose precision ("subnormal") are treated as zero by many processors. So the neighbours of
zero are the smallest numbers that keep all of it, and a comparison with them means what it says.
"""

from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._errors import describe

_limits = cast(Any, jnp.finfo)  # JAX does not type it


def nextafter(x: ArrayLike) -> jax.Array:
    """Return the smallest floating-point number that is greater than `x`. The derivative is one.

    **Arguments**

    - `x`: floating-point numbers, of any shape.

    **Returns**

    The next numbers of the same dtype; for zero, the smallest positive number that is not subnormal.

    **Raises**

    - `ValueError`: `x` has no floating-point dtype.

    **Example**
    ```python
    >>> nextafter(jnp.array([0.0, 1.0]))
    Array([1.1754944e-38, 1.0000001e+00], dtype=float32)

    ```
    """
    return _move(x, 1)


def prevbefore(x: ArrayLike) -> jax.Array:
    """Return the greatest floating-point number that is smaller than `x`. The derivative is one.

    **Arguments**

    - `x`: floating-point numbers, of any shape.

    **Returns**

    The numbers before, of the same dtype; for zero, the greatest negative number that is not subnormal.

    **Raises**

    - `ValueError`: `x` has no floating-point dtype.

    **Example**
    ```python
    >>> prevbefore(jnp.array([0.0, 1.0]))
    Array([-1.1754944e-38,  9.9999994e-01], dtype=float32)

    ```
    """
    return _move(x, -1)


def _move(x: ArrayLike, sign: int) -> jax.Array:
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"argument `x`: found {describe(x)}, expected floating-point numbers: only those have neighbours."
        )
    return cast(jax.Array, _neighbour(array, sign))


def _compute(x: jax.Array, sign: int) -> jax.Array:
    smallest = jnp.asarray(sign * float(_limits(x.dtype).smallest_normal), x.dtype)
    return jnp.where(x == 0, smallest, jnp.nextafter(x, jnp.asarray(sign * jnp.inf, x.dtype)))


def _jvp(sign: int, primals: Any, tangents: Any) -> Any:
    return _neighbour(*primals, sign), *tangents


_custom = jax.custom_jvp(_compute, nondiff_argnums=(1,))
_custom.defjvp(_jvp)
_neighbour = cast(Any, _custom)  # JAX does not type it
