"""`LearnedPositionalEmbedding`: a trained vector for each of finitely many positions."""

from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from .._errors import locate
from .._module import Module, field
from ._angles import as_positions
from ._initialise import Initialiser, initialised
from ._shapes import as_size, checked


class LearnedPositionalEmbedding(Module):
    """Maps a position to a vector, which is added to whatever stands there: row `x` of the table `weight`.

    Between two integers the vector is interpolated linearly, so that positions can be scaled to a sequence of another
    length.

    Gehring et al., *Convolutional Sequence to Sequence Learning*, ICML 2017. The table starts with independent draws
    from a normal distribution with standard deviation 0.02, as in GPT and BERT.

    **Arguments**

    - `num_positions`: the number of vectors in the table, at least 1.
    - `embedding_size`: the size of each.
    - `dtype`: of the table, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.
    - `key`: a PRNG key, for the initial table.
    - `weight_init`: what makes the initial table instead: a function of a PRNG key, a shape and a dtype, as in
        `jax.nn.initializers`.

    **Raises**

    - `ValueError`: a size is not a non-negative integer, or there is no position; `dtype` is an integer one; what
        `weight_init` returns has another shape or dtype.

    **Example**
    ```python
    >>> embedding = eqx.nn.LearnedPositionalEmbedding(16, 4, key=jax.random.key(0))
    >>> embedding(3).shape
    (4,)
    >>> tokens = jnp.ones((10, 4))
    >>> (tokens + jax.vmap(embedding)(jnp.arange(10))).shape
    (10, 4)
    >>> bool(jnp.allclose(embedding(3.5), (embedding(3) + embedding(4)) / 2))
    True

    ```
    """

    weight: Final[Array]
    num_positions: Final[int]
    embedding_size: Final[int]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_positions = field(static=True)
        embedding_size = field(static=True)

    def __init__(
        self,
        num_positions: int,
        embedding_size: int,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        weight_init: Initialiser | None = None,
    ) -> None:
        self.num_positions = as_size("num_positions", num_positions)
        self.embedding_size = as_size("embedding_size", embedding_size)
        if self.num_positions == 0:
            raise ValueError(f"{locate('num_positions')} must be at least 1, found 0.")
        initialiser = jax.nn.initializers.normal(0.02) if weight_init is None else weight_init
        self.weight = initialised("weight_init", initialiser, key, (self.num_positions, self.embedding_size), dtype)

    def __call__(self, x: ArrayLike, *, key: Array | None = None) -> Array:
        """Embed one position.

        **Arguments**

        - `x`: an integer or a real number, or an array of shape `()`. A position before the first or beyond the last
            one stands for that one.
        - `key`: ignored.

        **Returns**

        An array of shape `(embedding_size,)`.

        **Raises**

        - `ValueError`: `x` has another shape. For several positions, use `jax.vmap`.
        - `TypeError`: `x` is not a real number.
        """
        position = as_positions("x", checked(self, "x", x, ()))
        with jax.named_scope("eqx.nn.LearnedPositionalEmbedding"):
            weight, last = jnp.asarray(self.weight), self.num_positions - 1
            if jnp.issubdtype(position.dtype, jnp.integer):
                return weight[jnp.clip(position, 0, last)]
            below = jnp.clip(jnp.floor(position), 0, last)
            fraction = jnp.clip(position - below, 0, 1).astype(weight.dtype)
            row = below.astype("int32")
            return (1 - fraction) * weight[row] + fraction * weight[jnp.minimum(row + 1, last)]
