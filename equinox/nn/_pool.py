"""`Pool`: what a window over the spatial axes sees, made one number, for every position of the window."""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .._errors import describe, locate
from .._module import Module, field
from ._shapes import as_size, checked
from ._windows import PaddingPerAxis, Pads, PerAxis, as_pads, per_axis

# For windows, JAX knows the derivatives of these operations. Each is with what it leaves everything unchanged by.
_IDENTITIES: tuple[tuple[Callable[..., Array], float], ...] = ((lax.max, -math.inf), (lax.min, math.inf), (lax.add, 0))


class Pool(Module):
    r"""Moves a window over the spatial axes, and combines what is in it, for each channel by itself.

    The length of an axis goes from $L$ to $\lfloor (L + p_0 + p_1 - k) / s \rfloor + 1$ with kernel size $k$, stride
    $s$, and padding $p_0$ before and $p_1$ after, or to 0 if that is negative.

    **Arguments**

    - `init`: what each window starts from, and what the padding is made of. An infinite one stands for the largest or
        smallest number if the input is of an integer dtype.
    - `operation`: combines two numbers. The order in which it combines those of a window is not defined, so it should
        be associative and commutative, and be given an `init` that leaves everything unchanged.
    - `num_spatial_dims`: the number of spatial axes.
    - `kernel_size`: the length of the window, one for all spatial axes or one for each.
    - `stride`: by how many entries the window moves, for all axes or for each. **Its default is 1**, not the kernel
        size.
    - `padding`: how often `init` is added before and after each spatial axis: an integer for all axes, an integer for
        each axis, or a pair (before, after) for each axis; where they are negative, entries are left out.
    - `use_ceil`: whether to keep the last window if it reaches beyond the end (of the padding): the length is rounded
        up instead of down. A window that would begin beyond the input is left out all the same.

    **Raises**

    - `ValueError`: an option does not have one of the forms above.

    **Example**
    ```python
    >>> largest = eqx.nn.Pool(0.0, lambda a, b: jnp.maximum(a, abs(b)), num_spatial_dims=1, kernel_size=2, stride=2)
    >>> largest(jnp.array([[1.0, -3.0, 2.0, 0.0]]))
    Array([[3., 2.]], dtype=float32)

    ```
    """

    init: Final[float | Array]
    operation: Final[Callable[[Array, Array], Array]]
    num_spatial_dims: Final[int]
    kernel_size: Final[tuple[int, ...]]
    stride: Final[tuple[int, ...]]
    padding: Final[Pads]
    use_ceil: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_spatial_dims = field(static=True)
        kernel_size = field(static=True)
        stride = field(static=True)
        padding = field(static=True)
        use_ceil = field(static=True)

    def __init__(
        self,
        init: float | Array,
        operation: Callable[[Array, Array], Array],
        num_spatial_dims: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingPerAxis = 0,
        use_ceil: bool = False,
    ) -> None:
        axes = self.num_spatial_dims = as_size("num_spatial_dims", num_spatial_dims)
        self.init = init
        self.operation = operation
        self.kernel_size = per_axis("kernel_size", kernel_size, axes)
        self.stride = per_axis("stride", stride, axes)
        self.padding = as_pads(padding, axes)
        self.use_ceil = bool(use_ceil)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Pool one example.

        **Arguments**

        - `x`: shape `(channels, *spatial)`, with `num_spatial_dims` spatial axes.
        - `key`: ignored.

        **Returns**

        An array of shape `(channels, *spatial)`, with other lengths of the spatial axes.

        **Raises**

        - `ValueError`: `x` has another number of axes (for a batch of examples, use `jax.vmap`); or it is of an integer
            dtype and `init` is not an integer.
        - `RuntimeError`: the padding of an axis is larger than the kernel.
        """
        x = checked(self, "x", x, (None,) * (1 + self.num_spatial_dims))
        with jax.named_scope(f"eqx.nn.{type(self).__name__}"):
            return self._pooled(x, self._pads(x.shape[1:]))

    def _pooled(self, x: Array, pads: Pads) -> Array:
        identity = next((identity for known, identity in _IDENTITIES if self.operation is known), None)
        is_identity = isinstance(self.init, (int, float)) and self.init == identity
        init = _as_dtype(self.init, x.dtype)
        # With a window of one entry and negative padding XLA would abort (as of JAX 0.10.2).
        if not is_identity or any(min(pad) < 0 for pad in pads):
            x = lax.pad(x, init, ((0, 0, 0), *((before, after, 0) for before, after in pads)))
            pads = ((0, 0),) * len(pads)
        # The operation may be one of single numbers.
        operation: Callable[[Array, Array], Array] = cast(Any, jnp.vectorize)(self.operation)
        if identity is None:
            x = self._folded(x, operation)
        else:
            start = _as_dtype(identity, x.dtype)
            window, strides = (1, *self.kernel_size), (1, *self.stride)
            x = lax.reduce_window(x, start, self.operation, window, strides, ((0, 0), *pads))
        return x if is_identity else operation(init, x)

    def _folded(self, x: Array, operation: Callable[[Array, Array], Array]) -> Array:
        """Combine the entries of each window, one axis after the other."""
        for axis, size, stride in zip(range(1, x.ndim), self.kernel_size, self.stride, strict=True):
            starts = max(x.shape[axis] - size + 1, 0)
            offsets = range(size) if starts else range(1)
            x = functools.reduce(operation, [lax.slice_in_dim(x, i, i + starts, stride, axis) for i in offsets])
        return x

    def _pads(self, lengths: tuple[int, ...]) -> Pads:
        """The padding, on the right side such that no window reaches beyond it."""
        for axis, (size, pad) in enumerate(zip(self.kernel_size, self.padding, strict=True)):
            if max(pad) > size:
                raise RuntimeError(
                    f"The padding of a `{type(self).__name__}` must not be larger than the kernel, which has the size "
                    f"{size} on the spatial axis {axis}. Found the padding {pad}."
                )
        if not self.use_ceil:
            return self.padding
        return tuple(map(self._pad_for_ceil, lengths, self.kernel_size, self.stride, self.padding))

    def _pad_for_ceil(self, length: int, size: int, stride: int, pad: tuple[int, int]) -> tuple[int, int]:
        before, after = pad
        whole, rest = divmod(length + before + after - size, stride)
        last = (whole + 1) * stride if rest and (whole + 1) * stride < length + before else whole * stride
        return before, max(last, -stride) + size - length - before


def _as_dtype(number: float | Array, dtype: Any) -> Any:
    if not isinstance(number, (int, float)):
        return jnp.asarray(number).astype(dtype)
    if not jnp.issubdtype(dtype, jnp.inexact):
        if math.isinf(number):
            limits = cast(Any, jnp.iinfo)  # JAX leaves it unannotated
            least, largest = (0, 1) if dtype == np.bool_ else (limits(dtype).min, limits(dtype).max)
            number = largest if number > 0 else least
        elif not float(number).is_integer():
            raise ValueError(f"{locate('init')} must be an integer for an input of {dtype}, found {describe(number)}.")
    # An array of NumPy's, because JAX knows its value even while it compiles a function.
    return np.asarray(number, dtype)
