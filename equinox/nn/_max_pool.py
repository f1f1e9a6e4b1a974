"""`MaxPool1d`, `MaxPool2d`, `MaxPool3d`: the largest number in a window."""

import math

from jax import lax

from ._pool import Pool
from ._windows import PaddingPerAxis, PerAxis


class MaxPool1d(Pool):
    """Takes the largest number in a window that moves over one spatial axis, such as time.

    Padding counts as less than any number. Of equal numbers, the first one gets the gradient.

    **Arguments**

    - `kernel_size`, `stride`, `padding`, `use_ceil`: as in [`Pool`][equinox.nn.Pool]. **The default of `stride` is 1**,
        not the kernel size.

    **Raises**

    - `ValueError`: as in [`Pool`][equinox.nn.Pool].

    **Example**
    ```python
    >>> eqx.nn.MaxPool1d(kernel_size=2, stride=2)(jnp.ones((3, 10))).shape
    (3, 5)

    ```
    """

    def __init__(
        self, kernel_size: PerAxis, stride: PerAxis = 1, padding: PaddingPerAxis = 0, use_ceil: bool = False
    ) -> None:
        super().__init__(-math.inf, lax.max, 1, kernel_size, stride, padding, use_ceil)


class MaxPool2d(Pool):
    """Takes the largest number in a window that moves over two spatial axes, such as those of an image.

    Padding counts as less than any number. Of equal numbers, the first one gets the gradient.

    **Arguments**

    - `kernel_size`, `stride`, `padding`, `use_ceil`: as in [`Pool`][equinox.nn.Pool]. **The default of `stride` is 1**,
        not the kernel size.

    **Raises**

    - `ValueError`: as in [`Pool`][equinox.nn.Pool].

    **Example**
    ```python
    >>> eqx.nn.MaxPool2d(kernel_size=2, stride=2)(jnp.ones((3, 10, 10))).shape
    (3, 5, 5)

    ```
    """

    def __init__(
        self, kernel_size: PerAxis, stride: PerAxis = 1, padding: PaddingPerAxis = 0, use_ceil: bool = False
    ) -> None:
        super().__init__(-math.inf, lax.max, 2, kernel_size, stride, padding, use_ceil)


class MaxPool3d(Pool):
    """Takes the largest number in a window that moves over three spatial axes, such as those of a video.

    Padding counts as less than any number. Of equal numbers, the first one gets the gradient.

    **Arguments**

    - `kernel_size`, `stride`, `padding`, `use_ceil`: as in [`Pool`][equinox.nn.Pool]. **The default of `stride` is 1**,
        not the kernel size.

    **Raises**

    - `ValueError`: as in [`Pool`][equinox.nn.Pool].

    **Example**
    ```python
    >>> eqx.nn.MaxPool3d(kernel_size=2, stride=2)(jnp.ones((3, 4, 10, 10))).shape
    (3, 2, 5, 5)

    ```
    """

    def __init__(
        self, kernel_size: PerAxis, stride: PerAxis = 1, padding: PaddingPerAxis = 0, use_ceil: bool = False
    ) -> None:
        super().__init__(-math.inf, lax.max, 3, kernel_size, stride, padding, use_ceil)
