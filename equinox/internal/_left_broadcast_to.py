"""`left_broadcast_to`: broadcasting that lines up the first axes, where NumPy's lines up the last."""

import jax
import jax.numpy as jnp


def left_broadcast_to(arr: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Broadcast an array to a shape, the axes of the array being the first ones of the shape.

    **Arguments**

    - `arr`: an array.
    - `shape`: the shape to broadcast to.

    **Returns**

    An array of that shape.

    **Raises**

    - `ValueError`: `arr` has more dimensions than `shape`, or an axis that is neither as long as there nor of length 1.

    **Example**
    ```python
    >>> left_broadcast_to(jnp.array([1, 2]), (2, 3))
    Array([[1, 1, 1],
           [2, 2, 2]], dtype=int32)

    ```
    """
    missing = len(shape) - arr.ndim
    if missing < 0:
        raise ValueError(
            f"argument `arr`: found an array of shape {arr.shape}, which has more dimensions than `shape`, {shape}."
        )
    return jnp.broadcast_to(arr.reshape(*arr.shape, *(1,) * missing), shape)
