"""`GlobalAvgPool` and `GlobalMaxPool`: one number for each channel, whatever the size of the image."""

import abc
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import Module, field


class _GlobalPool(Module):
    """What the two have in common."""

    keepdims: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        keepdims = field(static=True)

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = bool(keepdims)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Pool one example.

        **Arguments**

        - `x`: shape `(channels, *spatial)`, with any number of spatial axes.
        - `key`: ignored.

        **Returns**

        An array of shape `(channels,)`, or `(channels, 1, ..., 1)`. Its dtype is that of `x`, except that the mean of
        integers is floating-point.

        **Raises**

        - `ValueError`: `x` has no axes, or a spatial axis without entries.
        """
        x = jnp.asarray(x)
        name = type(self).__name__
        if x.ndim == 0 or 0 in x.shape[1:]:
            raise ValueError(
                f"{locate('x')} of `{name}` must have a channel axis and then spatial axes that are not empty, found "
                f"shape {x.shape}."
            )
        with jax.named_scope(f"eqx.nn.{name}"):
            return self._reduced(x, tuple(range(1, x.ndim)))

    @abc.abstractmethod
    def _reduced(self, x: Array, axes: tuple[int, ...]) -> Array:
        """One number in place of those along the axes."""


class GlobalAvgPool(_GlobalPool):
    """Takes the mean of each channel, over all spatial axes.

    **Arguments**

    - `keepdims`: whether the spatial axes remain, with the length 1.

    **Example**
    ```python
    >>> eqx.nn.GlobalAvgPool()(jnp.ones((3, 10, 20))).shape
    (3,)

    ```
    """

    def __init__(self, keepdims: bool = False) -> None:
        super().__init__(keepdims)

    def _reduced(self, x: Array, axes: tuple[int, ...]) -> Array:
        return jnp.mean(x, axes, keepdims=self.keepdims)


class GlobalMaxPool(_GlobalPool):
    """Takes the largest number of each channel, over all spatial axes. Equal ones share the gradient.

    **Arguments**

    - `keepdims`: whether the spatial axes remain, with the length 1.

    **Example**
    ```python
    >>> eqx.nn.GlobalMaxPool(keepdims=True)(jnp.ones((3, 10, 20))).shape
    (3, 1, 1)

    ```
    """

    def __init__(self, keepdims: bool = False) -> None:
        super().__init__(keepdims)

    def _reduced(self, x: Array, axes: tuple[int, ...]) -> Array:
        return jnp.max(x, axes, keepdims=self.keepdims)
