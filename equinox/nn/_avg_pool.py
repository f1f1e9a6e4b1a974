"""`AvgPool1d`, `AvgPool2d`, `AvgPool3d`: the mean of the numbers in a window."""

import functools
import math
from typing import TYPE_CHECKING, Final

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .._module import field
from ._initialise import default_dtype
from ._pool import Pool
from ._windows import PaddingPerAxis, Pads, PerAxis


class _AvgPool(Pool):
    """The mean over windows, for any number of spatial axes."""

    count_include_pad: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        count_include_pad = field(static=True, default=True)

    def __init__(
        self,
        num_spatial_dims: int,
        kernel_size: PerAxis,
        stride: PerAxis,
        padding: PaddingPerAxis,
        use_ceil: bool,
        count_include_pad: bool,
    ) -> None:
        super().__init__(0, lax.add, num_spatial_dims, kernel_size, stride, padding, use_ceil)
        self.count_include_pad = bool(count_include_pad)

    def _pooled(self, x: Array, pads: Pads) -> Array:
        dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else default_dtype()
        # Sums of many numbers need more digits than 16 bits have.
        sum_dtype = np.dtype(np.float32) if dtype.itemsize < 4 else dtype
        sums = super()._pooled(x.astype(sum_dtype), pads)
        if self.count_include_pad:
            means = sums / math.prod(self.kernel_size)
        else:
            counts = map(_counts, x.shape[1:], sums.shape[1:], self.kernel_size, self.stride, pads)
            means = sums / functools.reduce(np.multiply.outer, counts, np.ones(1)).astype(sum_dtype)
        return means.astype(dtype)


def _counts(length: int, windows: int, size: int, stride: int, pad: tuple[int, int]) -> list[int]:
    """How many entries of the input each window has on one axis, but at least 1."""
    starts = (i * stride - pad[0] for i in range(windows))
    return [max(min(start + size, length) - max(start, 0), 1) for start in starts]


class AvgPool1d(_AvgPool):
    """Takes the mean of the numbers in a window that moves over one spatial axis, such as time.

    Sums of 16-bit numbers are computed with 32 bits. The mean of integers is of the default floating-point dtype.

    **Arguments**

    - `kernel_size`, `stride`, `padding`, `use_ceil`: as in [`Pool`][equinox.nn.Pool]. **The default of `stride` is 1**,
        not the kernel size.
    - `count_include_pad`: whether padding, and what lies beyond it with `use_ceil`, counts as zeros. Otherwise the mean
        is that of the numbers that a window has from the input.

    **Raises**

    - `ValueError`: as in [`Pool`][equinox.nn.Pool].

    **Example**
    ```python
    >>> eqx.nn.AvgPool1d(kernel_size=2, stride=2)(jnp.ones((3, 10))).shape
    (3, 5)

    ```
    """

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingPerAxis = 0,
        use_ceil: bool = False,
        *,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(1, kernel_size, stride, padding, use_ceil, count_include_pad)


class AvgPool2d(_AvgPool):
    """Takes the mean of the numbers in a window that moves over two spatial axes, such as those of an image.

    Sums of 16-bit numbers are computed with 32 bits. The mean of integers is of the default floating-point dtype.

    **Arguments**

    - `kernel_size`, `stride`, `padding`, `use_ceil`: as in [`Pool`][equinox.nn.Pool]. **The default of `stride` is 1**,
        not the kernel size.
    - `count_include_pad`: whether padding, and what lies beyond it with `use_ceil`, counts as zeros. Otherwise the mean
        is that of the numbers that a window has from the input.

    **Raises**

    - `ValueError`: as in [`Pool`][equinox.nn.Pool].

    **Example**
    ```python
    >>> eqx.nn.AvgPool2d(kernel_size=2, stride=2)(jnp.ones((3, 10, 10))).shape
    (3, 5, 5)

    ```
    """

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingPerAxis = 0,
        use_ceil: bool = False,
        *,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(2, kernel_size, stride, padding, use_ceil, count_include_pad)


class AvgPool3d(_AvgPool):
    """Takes the mean of the numbers in a window that moves over three spatial axes, such as those of a video.

    Sums of 16-bit numbers are computed with 32 bits. The mean of integers is of the default floating-point dtype.

    **Arguments**

    - `kernel_size`, `stride`, `padding`, `use_ceil`: as in [`Pool`][equinox.nn.Pool]. **The default of `stride` is 1**,
        not the kernel size.
    - `count_include_pad`: whether padding, and what lies beyond it with `use_ceil`, counts as zeros. Otherwise the mean
        is that of the numbers that a window has from the input.

    **Raises**

    - `ValueError`: as in [`Pool`][equinox.nn.Pool].

    **Example**
    ```python
    >>> eqx.nn.AvgPool3d(kernel_size=2, stride=2)(jnp.ones((3, 4, 10, 10))).shape
    (3, 2, 5, 5)

    ```
    """

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingPerAxis = 0,
        use_ceil: bool = False,
        *,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(3, kernel_size, stride, padding, use_ceil, count_include_pad)
