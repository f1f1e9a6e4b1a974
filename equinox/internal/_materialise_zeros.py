"""`materialise_zeros`: turn a tangent that is known to be zero, and therefore `None`, into an array."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from .._tree.predicates import is_array_like


def materialise_zeros(primal: Any, tangent: Any, allow_struct: bool = False) -> Any:
    """Replace a tangent of `None` by zeros, if the primal is something that can have a tangent.

    **Arguments**

    - `primal`: one leaf: an array or a number, or anything else.
    - `tangent`: its tangent or cotangent; `None` if that is zero.
    - `allow_struct`: whether `primal` may be a `jax.ShapeDtypeStruct` in place of an array.

    **Returns**

    Zeros of the shape of `primal`, in the dtype of its tangents (which is `float0` for integers), if `tangent` is
    `None` and `primal` is an array or a number; otherwise `tangent`.

    **Example**
    ```python
    >>> materialise_zeros(jnp.array([1.0, 2.0]), None)
    Array([0., 0.], dtype=float32)
    >>> materialise_zeros("not an array", None) is None
    True

    ```
    """
    is_array = is_array_like(primal) or (allow_struct and isinstance(primal, jax.ShapeDtypeStruct))
    if tangent is not None or not is_array:
        return tangent
    kind: Any = primal if isinstance(primal, jax.ShapeDtypeStruct) else jax.typeof(primal)
    if not jnp.issubdtype(kind.dtype, np.inexact):
        return np.zeros(kind.shape, jax.dtypes.float0)
    return cast(Any, jnp.zeros(kind.shape, kind.dtype))
