"""`PReLU`: a rectifier whose slope on the negative side is learnt."""

from typing import Final

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import Module


class PReLU(Module):
    r"""The activation $x$ for $x \ge 0$ and $a x$ for $x < 0$, where $a$ = `negative_slope` is a parameter.

    He et al., *Delving Deep into Rectifiers*, ICCV 2015.

    **Arguments**

    - `init_alpha`: what `negative_slope` starts from. An array is broadcast against the input: with the shape
        `(channels, 1, 1)`, each channel of a `(channels, height, width)` input has its own slope.

    **Raises**

    - `ValueError`: `init_alpha` is `None`.

    **Example**
    ```python
    >>> eqx.nn.PReLU()(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.25,  0.  ,  2.  ], dtype=float32)

    ```
    """

    negative_slope: Final[Array]

    def __init__(self, init_alpha: float | Array = 0.25) -> None:
        # Not every user has a type checker.
        if init_alpha is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise ValueError(f"{locate('init_alpha')} must be a number or an array, found None.")
        self.negative_slope = jnp.asarray(init_alpha)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Apply the activation.

        **Arguments**

        - `x`: an array that `negative_slope` can be broadcast with.
        - `key`: ignored.

        **Returns**

        An array of the shape and dtype that NumPy's rules give to the product of `x` and `negative_slope`.
        """
        # The two differ in rank or dtype by design, which is not to depend on what the user allows elsewhere.
        with (
            jax.named_scope("eqx.nn.PReLU"),
            jax.numpy_dtype_promotion("standard"),
            jax.numpy_rank_promotion("allow"),
        ):
            return jnp.where(x >= 0, x, self.negative_slope * x)
