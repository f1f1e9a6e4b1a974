"""`PixelShuffle` and `PixelUnshuffle`: channels become pixels, and pixels become channels."""

from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import describe, locate
from .._module import Module, field
from ._shapes import as_size


class PixelShuffle(Module):
    r"""Makes an image larger, at the expense of its channels: those of a group become the pixels of a single one.

    Each group has $r^n$ channels, where $n$ is the number of spatial axes. With $n = 2$, and for offsets $i, j < r$,

    $$y_{c,\, r h + i,\, r w + j} = x_{c r^2 + i r + j,\, h,\, w}$$

    and likewise for any other number of spatial axes.

    Shi et al., *Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
    Network*, CVPR 2016.

    **Arguments**

    - `factor`: $r$, by how much the length of each spatial axis is multiplied.

    **Raises**

    - `ValueError`: `factor` is not a positive integer.

    **Example**
    ```python
    >>> eqx.nn.PixelShuffle(2)(jnp.ones((12, 5, 6))).shape
    (3, 10, 12)

    ```
    """

    factor: Final[int]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        factor = field(static=True)

    def __init__(self, factor: int) -> None:
        self.factor = _as_factor(factor)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Turn channels into pixels.

        **Arguments**

        - `x`: shape `(channels, *spatial)`.
        - `key`: ignored.

        **Returns**

        An array of shape `(channels / factor**n, *spatial)`, with spatial axes that are `factor` times as long.

        **Raises**

        - `ValueError`: the number of channels is not a multiple of `factor**n`.
        """
        x = jnp.asarray(x)
        axes, factor = x.ndim - 1, self.factor
        if axes < 0 or x.shape[0] % factor**axes:
            raise ValueError(
                f"{locate('x')} of `PixelShuffle` must have a number of channels that is a multiple of "
                f"`factor={factor}` to the power of the number of spatial axes, found shape {x.shape}."
            )
        channels, *lengths = x.shape
        with jax.named_scope("eqx.nn.PixelShuffle"):
            x = x.reshape(channels // factor**axes, *[factor] * axes, *lengths)
            pairs = [(1 + axes + i, 1 + i) for i in range(axes)]
            x = x.transpose(0, *(axis for pair in pairs for axis in pair))
            return x.reshape(channels // factor**axes, *(factor * length for length in lengths))


class PixelUnshuffle(Module):
    r"""Makes an image smaller without loss: each square of $r^n$ pixels of a channel becomes $r^n$ channels.

    This is the inverse of [`PixelShuffle`][equinox.nn.PixelShuffle].

    **Arguments**

    - `factor`: $r$, by how much the length of each spatial axis is divided.

    **Raises**

    - `ValueError`: `factor` is not a positive integer.

    **Example**
    ```python
    >>> eqx.nn.PixelUnshuffle(2)(jnp.ones((3, 10, 12))).shape
    (12, 5, 6)

    ```
    """

    factor: Final[int]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        factor = field(static=True)

    def __init__(self, factor: int) -> None:
        self.factor = _as_factor(factor)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Turn pixels into channels.

        **Arguments**

        - `x`: shape `(channels, *spatial)`.
        - `key`: ignored.

        **Returns**

        An array of shape `(channels * factor**n, *spatial)`, with spatial axes that are shorter by `factor`.

        **Raises**

        - `ValueError`: the length of a spatial axis is not a multiple of `factor`.
        """
        x = jnp.asarray(x)
        factor = self.factor
        if x.ndim == 0 or any(length % factor for length in x.shape[1:]):
            raise ValueError(
                f"{locate('x')} of `PixelUnshuffle` must have a channel axis and then spatial axes whose lengths are "
                f"multiples of `factor={factor}`, found shape {x.shape}."
            )
        channels, *lengths = x.shape
        axes = len(lengths)
        with jax.named_scope("eqx.nn.PixelUnshuffle"):
            shorter = [length // factor for length in lengths]
            x = x.reshape(channels, *(size for length in shorter for size in (length, factor)))
            x = x.transpose(0, *range(2, 2 * axes + 1, 2), *range(1, 2 * axes, 2))
            return x.reshape(channels * factor**axes, *shorter)


def _as_factor(factor: int) -> int:
    number = as_size("factor", factor)
    if number == 0:
        raise ValueError(f"{locate('factor')} must be a positive integer, found {describe(factor)}.")
    return number
