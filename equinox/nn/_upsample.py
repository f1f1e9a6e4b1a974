"""`Upsample`: makes an image, or whatever has spatial axes, larger or smaller by interpolation."""

import functools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from .._errors import describe, locate
from .._module import Module, field
from ._normalise import promoting, widened
from ._shapes import as_size
from ._windows import PerAxis

UpsampleMode: TypeAlias = Literal["nearest", "nearest-exact", "linear", "cubic"]

# The weights of the cubic convolution: what Keys calls a.
_SHARPNESS = -0.75


class Upsample(Module):
    r"""Changes the lengths of the spatial axes, and interpolates between the entries.

    Entry $i$ of an axis, as it is afterwards, lies at the place $(i + \frac12) s - \frac12$ of that axis as it was,
    where $s$ is the old length divided by the new one, or $1 / \text{scale}$. All axes are treated alike, one after the
    other: in two dimensions, `"linear"` is what is elsewhere called bilinear, and `"cubic"` is bicubic.

    The cubic interpolation is that of Keys, *Cubic Convolution Interpolation for Digital Image Processing*, IEEE
    Transactions on Acoustics, Speech, and Signal Processing, 1981, with $a = -\frac34$.

    **Arguments**

    - `scale`: by how much to multiply the lengths, one number for all spatial axes or one for each. Lengths are rounded
        down.
    - `mode`: `"nearest"` takes the entry at $\lfloor i s \rfloor$, `"nearest-exact"` the one closest to the place
        above; `"linear"` interpolates between two entries, `"cubic"` between four. Beyond the first and the last entry,
        it is as if they went on.
    - `size`: instead of `scale`, the new lengths: one for all spatial axes or one for each.
    - `align_corners`: whether the first and the last entry stay where they are, so that $i$ lies at
        $i (L - 1) / (L' - 1)$ for the lengths $L$ and $L'$. For `"linear"` and `"cubic"` only.

    **Raises**

    - `ValueError`: not exactly one of `scale` and `size` is given; an option does not have one of the forms above.

    **Example**
    ```python
    >>> eqx.nn.Upsample(2)(jnp.ones((3, 4, 5))).shape
    (3, 8, 10)
    >>> eqx.nn.Upsample(size=5, mode="linear", align_corners=True)(jnp.array([[0.0, 1.0, 2.0]]))
    Array([[0. , 0.5, 1. , 1.5, 2. ]], dtype=float32)

    ```
    """

    scale: Final[float | tuple[float, ...] | None]
    mode: Final[UpsampleMode]
    size: Final[int | tuple[int, ...] | None]
    align_corners: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        scale = field(static=True)
        mode = field(static=True)
        size = field(static=True)
        align_corners = field(static=True)

    def __init__(
        self,
        scale: float | Sequence[float] | None = None,
        mode: UpsampleMode = "nearest",
        *,
        size: PerAxis | None = None,
        align_corners: bool = False,
    ) -> None:
        if (scale is None) == (size is None):
            found = "neither" if scale is None else "both"
            raise ValueError(f"{locate('scale')}: either this or `size` must be given, found {found}.")
        if mode not in {"nearest", "nearest-exact", "linear", "cubic"}:
            forms = '"nearest", "nearest-exact", "linear" or "cubic"'
            raise ValueError(f"{locate('mode')} must be {forms}, found {describe(mode)}.")
        if align_corners and mode.startswith("nearest"):
            raise ValueError(f"{locate('align_corners')} must be False with `mode={mode!r}`.")
        self.scale = None if scale is None else _as_scale(scale)
        self.mode = mode
        self.size = None if size is None else _as_new_size(size)
        self.align_corners = bool(align_corners)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Interpolate one example.

        **Arguments**

        - `x`: shape `(channels, *spatial)`.
        - `key`: ignored.

        **Returns**

        An array of shape `(channels, *spatial)`, with other lengths of the spatial axes. Its dtype is that of `x`,
        unless that is an integer one and numbers are interpolated.

        **Raises**

        - `ValueError`: there are more or fewer spatial axes than numbers in `scale` or `size`, or one has no entries.
        """
        x = jnp.asarray(x)
        lengths = x.shape[1:]
        name, given = ("size", self.size) if self.scale is None else ("scale", self.scale)
        if x.ndim == 0 or 0 in lengths or (isinstance(given, tuple) and len(given) != len(lengths)):
            raise ValueError(
                f"{locate('x')} of `Upsample` must have a channel axis and then spatial axes that are not empty, as "
                f"many as there are numbers in `{name}={given}`, found shape {x.shape}."
            )
        with jax.named_scope("eqx.nn.Upsample"), promoting():
            is_nearest = self.mode.startswith("nearest")
            out = x if is_nearest else widened(x)
            for axis, number in enumerate(given if isinstance(given, tuple) else [given] * len(lengths), start=1):
                indices, weights = self._neighbours(x.shape[axis], number)
                neighbours = [jnp.take(out, column, axis) for column in indices]
                if is_nearest:
                    (out,) = neighbours
                else:
                    along_axis = (-1,) + (1,) * (x.ndim - 1 - axis)
                    columns = jnp.asarray(weights, np.finfo(out.dtype).dtype)
                    terms = [a * b.reshape((1,) * axis + along_axis) for a, b in zip(neighbours, columns, strict=True)]
                    out = functools.reduce(operator.add, terms)
            return out.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else out

    def _neighbours(self, length: int, number: float | None) -> tuple[NDArray[Any], NDArray[Any]]:
        """For each neighbour that counts, and each new entry: which old entry it is, and how much it counts."""
        assert number is not None  # one of `scale` and `size` is given
        new_length, step = (
            (int(number), length / number) if self.scale is None else (math.floor(length * number), 1 / number)
        )
        entries = np.arange(new_length)
        places: NDArray[Any]
        if self.align_corners:
            places = entries * ((length - 1) / max(new_length - 1, 1))
        elif self.mode == "nearest":
            places = entries * step
        else:
            places = (entries + 0.5) * step - 0.5
        if self.mode == "nearest-exact":
            places = places + 0.5
        if self.mode == "linear":
            places = np.maximum(places, 0)
        first = np.floor(places).astype(int)
        rest: NDArray[Any] = places - first
        if self.mode == "linear":
            weights = [1 - rest, rest]
        elif self.mode == "cubic":
            weights = [_far(1 + rest), _near(rest), _near(1 - rest), _far(2 - rest)]
            first = first - 1
        else:
            weights = [np.ones(new_length)]
        indices = [np.clip(first + i, 0, length - 1) for i in range(len(weights))]
        return np.stack(indices), np.stack(weights)


def _near(distance: NDArray[Any]) -> NDArray[Any]:
    """How much an entry counts at a distance of at most 1."""
    weight: NDArray[Any] = ((_SHARPNESS + 2) * distance - (_SHARPNESS + 3)) * distance**2 + 1
    return weight


def _far(distance: NDArray[Any]) -> NDArray[Any]:
    """How much an entry counts at a distance between 1 and 2."""
    weight: NDArray[Any] = (
        (_SHARPNESS * distance - 5 * _SHARPNESS) * distance + 8 * _SHARPNESS
    ) * distance - 4 * _SHARPNESS
    return weight


def _as_scale(scale: float | Sequence[float]) -> float | tuple[float, ...]:
    numbers = tuple(map(float, scale)) if isinstance(scale, Sequence) else (float(scale),)
    if not all(0 < number < math.inf for number in numbers):
        raise ValueError(f"{locate('scale')} must be a positive number, or one for each axis, found {describe(scale)}.")
    return numbers if isinstance(scale, Sequence) else numbers[0]


def _as_new_size(size: PerAxis) -> int | tuple[int, ...]:
    numbers = tuple(as_size("size", number) for number in (size if isinstance(size, Sequence) else [size]))
    if 0 in numbers:
        raise ValueError(f"{locate('size')} must be a positive integer, or one for each axis, found {describe(size)}.")
    return numbers if isinstance(size, Sequence) else numbers[0]
