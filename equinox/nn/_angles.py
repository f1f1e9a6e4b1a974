"""Angles that grow with the position in a sequence, which embeddings of positions take sines and cosines of."""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._errors import describe, locate
from ._initialise import default_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray


def angles(positions: Array, frequencies: "NDArray[Any]") -> Array:
    """Multiply positions and frequencies.

    **Arguments**

    - `positions`: shape `(length,)`, from `as_positions`.
    - `frequencies`: radians per position, of shape `(n,)`, in double precision.

    **Returns**

    An array of shape `(length, n)` in the default floating-point dtype. For integer positions it is accurate, up to
    whole turns, however large they are.
    """
    if default_dtype() == np.float64 or jnp.issubdtype(positions.dtype, jnp.floating):
        return positions.astype(default_dtype())[:, None] * frequencies.astype(default_dtype())[None]
    # The product of a large position and a frequency, rounded to float32, is off by a good part of a turn. So a turn is
    # counted as 2^32 steps, and the overflow of integers drops whole turns, which is exact. Of the steps per position
    # there are 16 more bits behind the point, in `fraction`.
    scaled = np.round(np.mod(frequencies / math.tau, 1) * 2.0**48).astype(np.uint64)
    steps, fraction = (scaled >> 16).astype(np.uint32)[None], (scaled & 0xFFFF).astype(np.uint32)[None]
    positions = positions[:, None]
    high, low = (positions >> 16).astype("uint32"), (positions & 0xFFFF).astype("uint32")
    total = positions.astype("uint32") * steps + high * fraction + (low * fraction >> 16)
    return jax.lax.bitcast_convert_type(total, np.int32).astype("float32") * np.float32(math.tau / 2.0**32)


def as_positions(argument: str, positions: Array) -> Array:
    """Return positions as real numbers, or as integers of one dtype that has differences and is large enough.

    **Raises**

    - `TypeError`: they are neither.
    """
    if jnp.issubdtype(positions.dtype, jnp.integer):
        return positions.astype("int32")
    if not jnp.issubdtype(positions.dtype, jnp.floating):
        raise TypeError(f"{locate(argument)} must be integers or real numbers, found {describe(positions)}.")
    return positions
