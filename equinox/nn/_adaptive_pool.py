"""`AdaptivePool`: pooling to a given shape, whatever the shape of the input."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._errors import locate
from .._module import Module, field
from ._shapes import as_size, checked
from ._windows import PerAxis, per_axis


class AdaptivePool(Module):
    r"""Divides each spatial axis into a given number of windows, and makes each of them one number.

    This happens one axis after the other, for each channel by itself. An axis of length $L$ is divided into $T$ windows
    without gaps or overlap, of which the first $L \bmod T$ are by one longer than the others, which have
    $\lfloor L / T \rfloor$ entries. With `overlap` they go from $\lfloor i L / T \rfloor$ to
    $\lceil (i + 1) L / T \rceil$ for $i = 0, \dots, T - 1$, as in PyTorch. If $T$ divides $L$ that is the same.

    **Arguments**

    - `target_shape`: the number of windows $T$, one for all spatial axes or one for each.
    - `num_spatial_dims`: the number of spatial axes.
    - `operation`: maps a window, which is a vector, to a number.
    - `overlap`: whether the windows may overlap. Then there may be more of them than entries.

    **Raises**

    - `ValueError`: `target_shape` or `num_spatial_dims` do not have the forms above.

    **Example**
    ```python
    >>> median = eqx.nn.AdaptivePool(3, num_spatial_dims=1, operation=jnp.median)
    >>> median(jnp.array([[1.0, 3.0, 2.0, 8.0, 5.0]]))
    Array([[2., 5., 5.]], dtype=float32)

    ```
    """

    target_shape: Final[tuple[int, ...]]
    operation: Final[Callable[[Array], Array]]
    overlap: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        target_shape = field(static=True)
        operation = field()
        overlap = field(static=True, default=False)

    def __init__(
        self,
        target_shape: PerAxis,
        num_spatial_dims: int,
        operation: Callable[[Array], Array],
        *,
        overlap: bool = False,
    ) -> None:
        self.target_shape = per_axis("target_shape", target_shape, as_size("num_spatial_dims", num_spatial_dims))
        self.operation = operation
        self.overlap = bool(overlap)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Pool one example.

        **Arguments**

        - `x`: shape `(channels, *spatial)`.
        - `key`: ignored.

        **Returns**

        An array of shape `(channels, *target_shape)`.

        **Raises**

        - `ValueError`: `x` has another number of axes (for a batch of examples, use `jax.vmap`), or a spatial axis with
            fewer entries than windows, and these must not overlap, or none at all; or `operation` does not return a
            number.
        """
        x = checked(self, "x", x, (None,) * (1 + len(self.target_shape)))
        with jax.named_scope(f"eqx.nn.{type(self).__name__}"):
            for axis, windows in enumerate(self.target_shape, start=1):
                length = x.shape[axis]
                if length == 0 or (length < windows and not self.overlap):
                    least = 1 if self.overlap else windows
                    raise ValueError(
                        f"{locate('x')} of `{type(self).__name__}` must have at least {least} entries on axis {axis} "
                        f"for {windows} windows, found {length}."
                    )
                x = jnp.moveaxis(self._pool_last(jnp.moveaxis(x, axis, -1), windows), -1, axis)
            return x

    def _pool_last(self, x: Array, windows: int) -> Array:
        """Pool along the last axis."""
        edges = self._edges(x.shape[-1], windows)
        # Windows of one size are made numbers all at once.
        positions: dict[int, list[int]] = {}
        for position, (start, stop) in enumerate(edges):
            positions.setdefault(stop - start, []).append(position)
        pooled = [self._pool_windows(x, size, [edges[i] for i in found]) for size, found in positions.items()]
        order = np.argsort([i for found in positions.values() for i in found])
        result = jnp.concatenate(pooled, axis=-1)
        return result[..., order] if self.overlap else result

    def _edges(self, length: int, windows: int) -> list[tuple[int, int]]:
        if self.overlap:
            return [(i * length // windows, -(-(i + 1) * length // windows)) for i in range(windows)]
        size, longer = divmod(length, windows)
        stops = [(i + 1) * size + min(i + 1, longer) for i in range(windows)]
        return list(zip([0, *stops[:-1]], stops, strict=True))

    def _pool_windows(self, x: Array, size: int, edges: list[tuple[int, int]]) -> Array:
        """Pool those windows on the last axis that have this size."""
        if self.overlap:
            entries = x[..., np.array([range(*edge) for edge in edges])]
        else:
            entries = x[..., edges[0][0] : edges[-1][1]]  # there is nothing in between
        pooled = jax.vmap(self.operation)(entries.reshape(-1, size))
        if pooled.ndim != 1:
            raise ValueError(
                f"{locate('operation')} of `{type(self).__name__}` must return an array of shape (), found shape "
                f"{pooled.shape[1:]} for a window of {size} entries."
            )
        return pooled.reshape(*x.shape[:-1], len(edges))


class AdaptiveAvgPool1d(AdaptivePool):
    """Takes the mean of each of a given number of windows, over one spatial axis.

    **Arguments**

    - `target_shape`, `overlap`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Raises**

    - `ValueError`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Example**
    ```python
    >>> eqx.nn.AdaptiveAvgPool1d(4)(jnp.ones((3, 7))).shape
    (3, 4)

    ```
    """

    def __init__(self, target_shape: PerAxis, *, overlap: bool = False) -> None:
        super().__init__(target_shape, 1, jnp.mean, overlap=overlap)


class AdaptiveAvgPool2d(AdaptivePool):
    """Takes the mean of each of a given number of windows, over two spatial axes.

    **Arguments**

    - `target_shape`, `overlap`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Raises**

    - `ValueError`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Example**
    ```python
    >>> eqx.nn.AdaptiveAvgPool2d((4, 3))(jnp.ones((3, 7, 9))).shape
    (3, 4, 3)

    ```
    """

    def __init__(self, target_shape: PerAxis, *, overlap: bool = False) -> None:
        super().__init__(target_shape, 2, jnp.mean, overlap=overlap)


class AdaptiveAvgPool3d(AdaptivePool):
    """Takes the mean of each of a given number of windows, over three spatial axes.

    **Arguments**

    - `target_shape`, `overlap`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Raises**

    - `ValueError`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Example**
    ```python
    >>> eqx.nn.AdaptiveAvgPool3d((4, 3, 2))(jnp.ones((3, 7, 9, 8))).shape
    (3, 4, 3, 2)

    ```
    """

    def __init__(self, target_shape: PerAxis, *, overlap: bool = False) -> None:
        super().__init__(target_shape, 3, jnp.mean, overlap=overlap)


class AdaptiveMaxPool1d(AdaptivePool):
    """Takes the largest number in each of a given number of windows, over one spatial axis.

    **Arguments**

    - `target_shape`, `overlap`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Raises**

    - `ValueError`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Example**
    ```python
    >>> eqx.nn.AdaptiveMaxPool1d(4)(jnp.ones((3, 7))).shape
    (3, 4)

    ```
    """

    def __init__(self, target_shape: PerAxis, *, overlap: bool = False) -> None:
        super().__init__(target_shape, 1, jnp.max, overlap=overlap)


class AdaptiveMaxPool2d(AdaptivePool):
    """Takes the largest number in each of a given number of windows, over two spatial axes.

    **Arguments**

    - `target_shape`, `overlap`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Raises**

    - `ValueError`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Example**
    ```python
    >>> eqx.nn.AdaptiveMaxPool2d((4, 3))(jnp.ones((3, 7, 9))).shape
    (3, 4, 3)

    ```
    """

    def __init__(self, target_shape: PerAxis, *, overlap: bool = False) -> None:
        super().__init__(target_shape, 2, jnp.max, overlap=overlap)


class AdaptiveMaxPool3d(AdaptivePool):
    """Takes the largest number in each of a given number of windows, over three spatial axes.

    **Arguments**

    - `target_shape`, `overlap`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Raises**

    - `ValueError`: as in [`AdaptivePool`][equinox.nn.AdaptivePool].

    **Example**
    ```python
    >>> eqx.nn.AdaptiveMaxPool3d((4, 3, 2))(jnp.ones((3, 7, 9, 8))).shape
    (3, 4, 3, 2)

    ```
    """

    def __init__(self, target_shape: PerAxis, *, overlap: bool = False) -> None:
        super().__init__(target_shape, 3, jnp.max, overlap=overlap)
