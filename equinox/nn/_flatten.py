"""`Flatten` and `Reshape`: the same numbers in another shape."""

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import describe, locate
from .._module import Module, field


class Flatten(Module):
    """Makes one axis of several, by default of all.

    **Arguments**

    - `start_axis`, `end_axis`: the first and the last axis of those that become one. Negative ones count from the end.

    **Raises**

    - `ValueError`: one of them is not an integer.

    **Example**
    ```python
    >>> eqx.nn.Flatten()(jnp.ones((3, 4, 5))).shape
    (60,)
    >>> eqx.nn.Flatten(start_axis=1)(jnp.ones((3, 4, 5))).shape
    (3, 20)

    ```
    """

    start_axis: Final[int]
    end_axis: Final[int]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        start_axis = field(static=True)
        end_axis = field(static=True)

    def __init__(self, start_axis: int = 0, end_axis: int = -1) -> None:
        self.start_axis = _as_integer("start_axis", start_axis)
        self.end_axis = _as_integer("end_axis", end_axis)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Flatten one example.

        **Arguments**

        - `x`: any shape. (Without axes, it gets one.)
        - `key`: ignored.

        **Returns**

        An array of the same numbers in the same order.

        **Raises**

        - `ValueError`: `x` has no such axes, or the last one comes before the first.
        """
        x = jnp.asarray(x)
        axes = max(x.ndim, 1)
        start, end = (axis + axes if axis < 0 else axis for axis in (self.start_axis, self.end_axis))
        if not 0 <= start <= end < axes:
            raise ValueError(
                f"{locate('x')} of `Flatten` must have the axes from {self.start_axis} to {self.end_axis}, found shape "
                f"{x.shape}."
            )
        with jax.named_scope("eqx.nn.Flatten"):
            shape = x.shape or (1,)
            return x.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


class Reshape(Module):
    """Gives an array another shape.

    **Arguments**

    - `shape`: an integer or a sequence of integers. One of them may be -1: it follows from the others.

    **Raises**

    - `ValueError`: `shape` does not have this form.

    **Example**
    ```python
    >>> eqx.nn.Reshape((2, -1))(jnp.ones(6)).shape
    (2, 3)

    ```
    """

    shape: Final[tuple[int, ...]]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        shape = field(static=True)

    def __init__(self, shape: int | Sequence[int]) -> None:
        sizes = shape if isinstance(shape, Sequence) else (shape,)
        self.shape = tuple(_as_integer("shape", size) for size in sizes)
        if any(size < -1 for size in self.shape) or self.shape.count(-1) > 1:
            message = "must consist of sizes, of which one may be -1"
            raise ValueError(f"{locate('shape')} {message}, found {describe(shape)}.")

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Reshape one example.

        **Arguments**

        - `x`: an array with as many entries as the new shape has.
        - `key`: ignored.

        **Returns**

        An array of the same numbers in the same order.

        **Raises**

        - `ValueError`: `x` has another number of entries. For a batch of examples, use `jax.vmap`.
        """
        x = jnp.asarray(x)
        known = math.prod(size for size in self.shape if size >= 0)
        fits = x.size == known if -1 not in self.shape else (known > 0 and x.size % known == 0)
        if not fits:
            raise ValueError(
                f"{locate('x')} of `Reshape` must have as many entries as the shape {self.shape}, found shape "
                f"{x.shape}. A layer is called with one example at a time: for a batch, write `jax.vmap(layer)`."
            )
        with jax.named_scope("eqx.nn.Reshape"):
            return x.reshape(self.shape)


def _as_integer(argument: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{locate(argument)} must be an integer, found {describe(value)}.") from None
