"""What the layers that normalise one example have in common: precision, statistics, and scale and shift."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, SupportsIndex, cast

import jax
import jax.numpy as jnp
from jax import Array

from ._shapes import as_size


def as_shape(argument: str, value: SupportsIndex | Sequence[SupportsIndex]) -> tuple[int, ...]:
    """Return a shape that is given as a tuple, or as a single size, as a tuple of plain integers."""
    sizes: Sequence[Any] = value if isinstance(value, Sequence) else (value,)
    return tuple(as_size(argument, size) for size in sizes)


def promoting() -> AbstractContextManager[None]:
    """Let arrays of different dtypes meet, whatever JAX's global setting: the layers choose the dtypes themselves."""
    context: AbstractContextManager[None] = jax.numpy_dtype_promotion("standard")
    return context


def widened(x: Array) -> Array:
    """The same numbers in a dtype of at least 32 bits, so that statistics of half precision neither round nor overflow.

    To be called inside of `promoting()`.
    """
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def constant(x: Array) -> Array:
    """The same array, through which no gradient flows."""
    out: Array = jax.lax.stop_gradient(x)
    return out


def squared_modulus(x: Array) -> Array:
    """The real numbers $|x|^2$. Unlike the square of `abs`, they have a derivative where $x$ is 0."""
    return jnp.real(x * jnp.conj(x))


def standardised(x: Array, eps: float, axis: int | None = None) -> Array:
    """Shift and scale an array to mean 0 and (up to `eps`) variance 1, over all axes or along one."""
    centred = x - jnp.mean(x, axis, keepdims=True)
    variance = jnp.mean(squared_modulus(centred), axis, keepdims=True)
    return centred * jax.lax.rsqrt(variance + eps)


def finished(out: Array, weight: Array | None, bias: Array | None, x: Array) -> Array:
    """Scale and shift, and return to the dtype that the input `x` had, unless that was an integer one."""
    if weight is not None:
        out = out * weight
    if bias is not None:
        out = out + bias
    return out.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else out


def smallest_normal(dtype: Any) -> float:
    """The smallest number of a floating-point or complex dtype that has full precision, and is never rounded to 0."""
    return float(cast(Any, jnp.finfo)(dtype).tiny)  # JAX leaves it unannotated
