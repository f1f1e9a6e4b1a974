"""`RotaryPositionalEmbedding`: tells attention where the vectors of a sequence stand, by rotating them."""

import math
from typing import TYPE_CHECKING, Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._initialise import default_dtype, parameter_dtype
from ._shapes import as_size, checked


class RotaryPositionalEmbedding(Module):
    r"""Rotates each vector of a sequence by angles that are proportional to its position.

    The inner product of two rotated vectors depends on their positions only through the distance between these. With
    $d$ = `embedding_size` and $0 \le i < d/2$, entries $i$ and $i + d/2$ of the vector at position $p$ are the two
    coordinates of a point in the plane, which is rotated by $p\,\theta^{-2i/d}$:

    $$(x_i, x_{i+d/2}) \mapsto (x_i \cos t - x_{i+d/2} \sin t,\ x_{i+d/2} \cos t + x_i \sin t), \quad
    t = p\,\theta^{-2i/d}.$$

    Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, Neurocomputing 568, 2024. (There the
    pairs are neighbours in the vector. Pairs from its two halves are what GPT-NeoX and Llama have.)

    There are no parameters to train. The layer is meant for the queries and the keys of
    [`MultiheadAttention`][equinox.nn.MultiheadAttention], in its `process_heads`.

    **Arguments**

    - `embedding_size`: the size of the vectors, an even number.
    - `theta`: the base of the angles, a positive number. The longest period is about $2 \pi \theta$ positions.
    - `dtype`: of the sines and cosines. By default `float32`, or `float64` under `jax_enable_x64`. They are computed in
        that default precision, and rounded to `dtype` after that.

    **Raises**

    - `ValueError`: `embedding_size` is not an even non-negative integer; `theta` is not positive; `dtype` is an integer
        one.

    **Example**
    ```python
    >>> rope = eqx.nn.RotaryPositionalEmbedding(embedding_size=2)
    >>> x = rope(jnp.ones((5, 2)))
    >>> x[0], jnp.linalg.norm(x, axis=1).round(2)
    (Array([1., 1.], dtype=float32), Array([1.41, 1.41, 1.41, 1.41, 1.41], dtype=float32))

    ```
    Of queries with heads, of shape `(length, num_heads, embedding_size)`, each head is rotated by itself:
    ```python
    >>> jax.vmap(rope, in_axes=1, out_axes=1)(jnp.ones((5, 4, 2))).shape
    (5, 4, 2)

    ```
    """

    embedding_size: Final[int]
    theta: Final[float]
    dtype: Final[np.dtype[Any]]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        embedding_size = field(static=True)
        theta = field(static=True)
        dtype = field(static=True)

    def __init__(self, embedding_size: int, theta: float = 10_000.0, dtype: DTypeLike | None = None) -> None:
        self.embedding_size = as_size("embedding_size", embedding_size)
        self.theta = float(theta)
        self.dtype = parameter_dtype(dtype)
        if self.embedding_size % 2 != 0:
            raise ValueError(f"{locate('embedding_size')} must be even, found {embedding_size}: entries form pairs.")
        if not self.theta > 0:
            raise ValueError(f"{locate('theta')} must be a positive number, found {theta}.")

    def __call__(self, x: Array, *, positions: Array | None = None, key: Array | None = None) -> Array:
        """Rotate the vectors of one sequence.

        **Arguments**

        - `x`: shape `(length, embedding_size)`.
        - `positions`: integers of shape `(length,)`, which may be traced. By default 0, 1, ..., `length - 1`. (When a
            text is generated token by token, the new ones do not start at 0.)
        - `key`: ignored.

        **Returns**

        An array of the shape and dtype of `x`.

        **Raises**

        - `ValueError`: `x` or `positions` has another shape. For a batch of sequences, or for the heads of attention,
            use `jax.vmap`.
        - `TypeError`: `positions` are not integers.
        """
        x = checked(self, "x", x, (None, self.embedding_size))
        with jax.named_scope("eqx.nn.RotaryPositionalEmbedding"):
            if positions is None:
                positions = jnp.arange(x.shape[0])
            positions = checked(self, "positions", positions, x.shape[:1])
            if not jnp.issubdtype(positions.dtype, jnp.integer):
                raise TypeError(f"{locate('positions')} must be integers, found {describe(positions)}.")
            cos, sin = _cos_and_sin(positions, self.embedding_size, self.theta, self.dtype)
            cos, sin = jnp.tile(cos, (1, 2)), jnp.tile(sin, (1, 2))  # a pair has one entry in each half
            return (x * cos + self.rotate_half(x) * sin).astype(x.dtype)

    @staticmethod
    def rotate_half(x: Array) -> Array:
        """Rotate every pair of entries by a right angle.

        **Arguments**

        - `x`: shape `(..., d)`, with an even `d`. Its last axis consists of two halves, `first` and `second`.

        **Returns**

        An array of the same shape: `-second` and then `first`.

        **Example**
        ```python
        >>> eqx.nn.RotaryPositionalEmbedding.rotate_half(jnp.array([1.0, 2.0, 3.0, 4.0]))
        Array([-3., -4.,  1.,  2.], dtype=float32)

        ```
        """
        half = x.shape[-1] // 2
        return jnp.concatenate([-x[..., half:], x[..., :half]], axis=-1)

    @staticmethod
    def precompute_freqs_cis(
        embedding_size: int, end: int, theta: float, dtype: DTypeLike | None
    ) -> tuple[Array, Array]:
        """Compute the cosines and sines of all angles at the positions 0, 1, ..., `end - 1`.

        **Arguments**

        - `embedding_size`, `theta`, `dtype`: as for the layer.
        - `end`: the number of positions.

        **Returns**

        Two arrays of shape `(end, embedding_size / 2)`: cosines and sines.
        """
        return _cos_and_sin(jnp.arange(end), embedding_size, theta, parameter_dtype(dtype))


def _cos_and_sin(positions: Array, embedding_size: int, theta: float, dtype: Any) -> tuple[Array, Array]:
    angles = _angles(positions, embedding_size, theta)
    return jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype)


def _angles(positions: Array, embedding_size: int, theta: float) -> Array:
    """For each position and each pair of entries the angle, up to whole turns, of shape `(length, d / 2)`."""
    turns = theta ** (-np.arange(0, embedding_size, 2) / max(embedding_size, 1)) / math.tau  # per position, on the host
    if default_dtype() == np.float64:
        return positions.astype("float64")[:, None] * (math.tau * turns)[None]
    # The product of a large position and a frequency, rounded to float32, is off by a good part of a turn. So a turn is
    # counted as 2^32 steps, and the overflow of integers drops whole turns, which is exact. Of the steps per position
    # there are 16 more bits behind the point, in `fraction`.
    scaled = np.round(np.mod(turns, 1) * 2.0**48).astype(np.uint64)
    steps, fraction = (scaled >> 16).astype(np.uint32)[None], (scaled & 0xFFFF).astype(np.uint32)[None]
    positions = positions.astype("int32")[:, None]
    high, low = (positions >> 16).astype("uint32"), (positions & 0xFFFF).astype("uint32")
    total = positions.astype("uint32") * steps + high * fraction + (low * fraction >> 16)
    return jax.lax.bitcast_convert_type(total, np.int32).astype("float32") * np.float32(math.tau / 2.0**32)
