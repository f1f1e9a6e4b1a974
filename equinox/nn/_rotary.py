"""`RotaryPositionalEmbedding`: tells attention where the vectors of a sequence stand, by rotating them."""

from typing import TYPE_CHECKING, Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from .._errors import locate
from .._module import Module, field
from ._angles import angles, as_positions
from ._initialise import parameter_dtype
from ._rotary_scaling import RotaryScaling, unscaled_frequencies
from ._shapes import as_size, checked

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RotaryPositionalEmbedding(Module):
    r"""Rotates each vector of a sequence by angles that are proportional to its position.

    The inner product of two rotated vectors depends on their positions only through the distance between these. With
    $d$ = `rotary_size` and $0 \le i < d/2$, entries $i$ and $i + d/2$ of the vector at position $p$ are the two
    coordinates of a point in the plane, which is rotated by $p\,\theta^{-2i/d}$:

    $$(x_i, x_{i+d/2}) \mapsto (x_i \cos t - x_{i+d/2} \sin t,\ x_{i+d/2} \cos t + x_i \sin t), \quad
    t = p\,\theta^{-2i/d}.$$

    Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, Neurocomputing 568, 2024. (There the
    pairs are neighbours in the vector, as with `interleaved=True`. Pairs from its two halves are what GPT-NeoX has, and
    Llama in many programs.)

    There are no parameters to train. The layer is meant for the queries and the keys of
    [`MultiheadAttention`][equinox.nn.MultiheadAttention], in its `process_heads`.

    **Arguments**

    - `embedding_size`: the size of the vectors, an even number.
    - `theta`: the base of the angles, a positive number. The longest period is about $2 \pi \theta$ positions.
    - `dtype`: of the sines and cosines. By default `float32`, or `float64` under `jax_enable_x64`. They are computed in
        that default precision, and rounded to `dtype` after that.
    - `rotary_size`: how many entries are rotated, the first ones of each vector; an even number, by default all. The
        others stay as they are.
    - `interleaved`: whether entries $2i$ and $2i + 1$ form a pair, instead of $i$ and $i + d/2$.
    - `scaling`: how rotations are slowed down for longer sequences: a [`LinearScaling`][equinox.nn.LinearScaling], an
        [`NTKScaling`][equinox.nn.NTKScaling], a [`YaRNScaling`][equinox.nn.YaRNScaling] or a
        [`Llama3Scaling`][equinox.nn.Llama3Scaling].

    **Raises**

    - `ValueError`: `embedding_size` is not a non-negative integer; `rotary_size` is not an even one, or greater;
        `theta` is not positive; `dtype` is an integer one.

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
    rotary_size: Final[int]
    interleaved: Final[bool]
    scaling: Final[RotaryScaling | None]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        embedding_size = field(static=True)
        theta = field(static=True)
        dtype = field(static=True)
        rotary_size = field(static=True)
        interleaved = field(static=True)
        scaling = field(static=True)

    def __init__(
        self,
        embedding_size: int,
        theta: float = 10_000.0,
        dtype: DTypeLike | None = None,
        *,
        rotary_size: int | None = None,
        interleaved: bool = False,
        scaling: RotaryScaling | None = None,
    ) -> None:
        self.embedding_size = as_size("embedding_size", embedding_size)
        self.theta = float(theta)
        self.dtype = parameter_dtype(dtype)
        self.rotary_size = self.embedding_size if rotary_size is None else as_size("rotary_size", rotary_size)
        self.interleaved = bool(interleaved)
        self.scaling = scaling
        if self.rotary_size % 2 != 0:
            name = "embedding_size" if rotary_size is None else "rotary_size"
            raise ValueError(f"{locate(name)} must be even, found {self.rotary_size}: entries form pairs.")
        if self.rotary_size > self.embedding_size:
            found = f"found {self.rotary_size} and {self.embedding_size}"
            raise ValueError(f"{locate('rotary_size')} must not exceed {locate('embedding_size')}, {found}.")
        if not self.theta > 0:
            raise ValueError(f"{locate('theta')} must be a positive number, found {theta}.")

    def __call__(
        self,
        x: Array,
        *,
        positions: Array | None = None,
        offset: ArrayLike | None = None,
        key: Array | None = None,
    ) -> Array:
        """Rotate the vectors of one sequence.

        **Arguments**

        - `x`: shape `(length, embedding_size)`.
        - `positions`: integers or real numbers of shape `(length,)`. By default 0, 1, ..., `length - 1`.
        - `offset`: the position of the first vector, if they are consecutive: a number of shape `()`. (When a text is
            generated token by token, the new ones do not start at 0, but at the `length` of the
            [`KVCache`][equinox.nn.KVCache].)
        - `key`: ignored.

        **Returns**

        An array of the shape and dtype of `x`.

        **Raises**

        - `ValueError`: `x`, `positions` or `offset` has another shape; both of the latter are given. For a batch of
            sequences, or for the heads of attention, use `jax.vmap`.
        - `TypeError`: `positions` or `offset` are not real numbers.
        """
        x = checked(self, "x", x, (None, self.embedding_size))
        with jax.named_scope("eqx.nn.RotaryPositionalEmbedding"):
            if positions is None:
                start = as_positions("offset", checked(self, "offset", 0 if offset is None else offset, ()))
                positions = start + jnp.arange(x.shape[0], dtype=start.dtype)
            elif offset is not None:
                raise ValueError(f"{locate('positions')} and {locate('offset')} are both given. Pass one of them.")
            positions = as_positions("positions", checked(self, "positions", positions, x.shape[:1]))
            if self.scaling is None:
                frequencies, magnitude = unscaled_frequencies(self.rotary_size, self.theta), 1.0
            else:
                frequencies = self.scaling.frequencies(self.rotary_size, self.theta)
                magnitude = self.scaling.magnitude
            cos, sin = _cos_and_sin(positions, frequencies, magnitude, self.dtype)
            rotated, rest = x[:, : self.rotary_size], x[:, self.rotary_size :]
            if self.interleaved:
                rotated = rotated.reshape(len(x), self.rotary_size // 2, 2).swapaxes(1, 2).reshape(rotated.shape)
            cos, sin = jnp.tile(cos, (1, 2)), jnp.tile(sin, (1, 2))  # a pair has one entry in each half
            rotated = (rotated * cos + self.rotate_half(rotated) * sin).astype(x.dtype)
            if self.interleaved:
                rotated = rotated.reshape(len(x), 2, self.rotary_size // 2).swapaxes(1, 2).reshape(rotated.shape)
            return rotated if self.rotary_size == self.embedding_size else jnp.concatenate([rotated, rest], axis=1)

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
        frequencies = unscaled_frequencies(embedding_size, theta)
        return _cos_and_sin(jnp.arange(end, dtype="int32"), frequencies, 1.0, parameter_dtype(dtype))


def _cos_and_sin(
    positions: Array, frequencies: "NDArray[Any]", magnitude: float, dtype: DTypeLike
) -> tuple[Array, Array]:
    turned = angles(positions, frequencies)
    cos, sin = jnp.cos(turned), jnp.sin(turned)
    if magnitude != 1:
        cos, sin = magnitude * cos, magnitude * sin
    return cos.astype(dtype), sin.astype(dtype)
