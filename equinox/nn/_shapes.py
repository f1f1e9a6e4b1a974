"""The sizes that layers are made for, and the shapes that their inputs must therefore have."""

import operator
from typing import Any, Literal, SupportsIndex

import jax.numpy as jnp
from jax import Array

from .._errors import describe, locate
from .._jax_tree import KeyPath


def as_size(argument: str, value: SupportsIndex) -> int:
    """Return a size as a plain `int`, which can be static; NumPy's integers are welcome.

    **Raises**

    - `ValueError`: `value`, given for the constructor's `argument`, is negative or no integer at all.
    """
    size = operator.index(value) if hasattr(value, "__index__") else -1
    if size < 0:
        raise ValueError(f"{locate(argument)} must be a non-negative integer, found {describe(value)}.")
    return size


def as_size_or_scalar(argument: str, value: SupportsIndex | Literal["scalar"]) -> int | Literal["scalar"]:
    """Return a size like `as_size`, or the string `"scalar"`, which stands for arrays without axes."""
    if not isinstance(value, str):
        return as_size(argument, value)
    if value != "scalar":
        raise ValueError(f'{locate(argument)} must be a non-negative integer or "scalar", found {describe(value)}.')
    return "scalar"


def shape_of(size: int | Literal["scalar"]) -> tuple[int, ...]:
    """The shape of an array of this size."""
    return () if size == "scalar" else (size,)


def checked(layer: object, argument: str, x: Any, shape: tuple[int | None, ...], path: KeyPath = ()) -> Array:
    """Return an input of a layer as a JAX array, if it has the shape that the layer expects.

    `None` in `shape` stands for any size.

    **Raises**

    - `ValueError`: it has not. `argument` and `path` say in the message where `x` was found.
    """
    array = jnp.asarray(x)
    is_right = len(shape) == array.ndim and all(
        size is None or size == found for size, found in zip(shape, array.shape, strict=True)
    )
    if not is_right:
        where = f"{locate(argument, path)} of `{type(layer).__name__}`"
        expected = str(shape).replace("None", "any")
        message = f"{where} must have shape {expected}, found shape {array.shape}."
        if array.ndim > len(shape):
            message += " A layer is called with one example at a time: for a batch, write `jax.vmap(layer)`."
        raise ValueError(message)
    return array
