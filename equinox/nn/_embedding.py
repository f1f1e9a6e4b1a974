"""`Embedding`: a table of vectors, one for each of finitely many things."""

import operator
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._initialise import Initialiser, initialised, parameter_dtype
from ._normalise import constant
from ._shapes import as_size, checked


class Embedding(Module):
    """Looks up a vector by its index: row `x` of the table `weight`.

    The table starts with independent draws from the standard normal distribution, unless it is given. Its row
    `padding_idx`, if there is one, starts as zeros and stays as it is: no gradient reaches it by looking it up.

    **Arguments**

    - `num_embeddings`: the number of vectors in the table.
    - `embedding_size`: the size of each.
    - `weight`: the table itself, of shape `(num_embeddings, embedding_size)`. Nothing else is needed then: `dtype` and
        `key` are ignored, and sizes have to agree with it if they are given.
    - `dtype`: of the table, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.
    - `key`: a PRNG key, for the initial table.
    - `weight_init`: what makes the initial table instead: a function of a PRNG key, a shape and a dtype, as in
        `jax.nn.initializers`.
    - `padding_idx`: the index that fills up sentences which are too short. A negative one counts from the end of the
        table. Of a table that is given, the row is not set to zeros.

    **Raises**

    - `ValueError`: there is neither a `weight` nor all of `num_embeddings`, `embedding_size` and `key`; a size is not a
        non-negative integer; `weight` has not two axes, or is of other sizes than those given; `dtype` is an integer
        one; there are both `weight` and `weight_init`, or what `weight_init` returns has another shape or dtype;
        there is no row `padding_idx`.

    **Example**
    ```python
    >>> embedding = eqx.nn.Embedding(num_embeddings=10, embedding_size=3, key=jax.random.key(0))
    >>> embedding(7).shape
    (3,)
    >>> sentence = jnp.array([2, 7, 1, 8])
    >>> jax.vmap(embedding)(sentence).shape
    (4, 3)
    >>> eqx.nn.Embedding(weight=jnp.eye(3))(-1)
    Array([0., 0., 1.], dtype=float32)

    ```
    """

    num_embeddings: Final[int]
    embedding_size: Final[int]
    weight: Final[Array]
    padding_idx: Final[int | None]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_embeddings = field(static=True)
        embedding_size = field(static=True)
        padding_idx = field(static=True, default=None)

    def __init__(
        self,
        num_embeddings: int | None = None,
        embedding_size: int | None = None,
        weight: Array | None = None,
        dtype: DTypeLike | None = None,
        *,
        key: Array | None = None,
        weight_init: Initialiser | None = None,
        padding_idx: int | None = None,
    ) -> None:
        is_given = weight is not None
        given = {"num_embeddings": num_embeddings, "embedding_size": embedding_size}
        sizes = {name: as_size(name, size) for name, size in given.items() if size is not None}
        if weight is None:
            missing = [*(name for name in given if name not in sizes), *(["key"] if key is None else [])]
            if key is None or missing:
                names = ", ".join(f"`{name}`" for name in missing)
                raise ValueError(f"`Embedding` needs {names}, unless the table is given as `weight`.")
            table_shape = tuple(sizes.values())
            if weight_init is None:
                weight = jax.random.normal(key, table_shape, parameter_dtype(dtype))
            else:
                weight = initialised("weight_init", weight_init, key, table_shape, dtype)
        elif weight_init is not None:
            raise ValueError("`Embedding` got both a table, as `weight`, and a `weight_init` that is to make one.")
        shape: tuple[int, ...] = getattr(weight, "shape", ())
        if len(shape) != 2:
            expected = "an array of shape (num_embeddings, embedding_size)"
            raise ValueError(f"{locate('weight')} must be {expected}, found {describe(weight)}.")
        found = dict(zip(given, shape, strict=True))
        for name, size in sizes.items():
            if size != found[name]:
                raise ValueError(f"{locate(name)} is {size}, but {locate('weight')} has shape {shape}.")
        self.num_embeddings, self.embedding_size = shape
        self.padding_idx = None if padding_idx is None else _as_row(padding_idx, self.num_embeddings)
        has_padding = self.padding_idx is not None and not is_given
        self.weight = weight.at[self.padding_idx].set(0) if has_padding else weight

    def __call__(self, x: ArrayLike, *, key: Array | None = None) -> Array:
        """Look up one vector.

        **Arguments**

        - `x`: an integer, as a number or as an array of shape `()`. A negative one counts from the end of the table.
            One beyond the first or the last row stands for that row, as everywhere in JAX.
        - `key`: ignored.

        **Returns**

        An array of shape `(embedding_size,)`.

        **Raises**

        - `ValueError`: `x` has another shape. For several indices, use `jax.vmap`.
        - `TypeError`: `x` is not an integer.
        """
        index = self._as_index(checked(self, "x", x, ()))
        with jax.named_scope("eqx.nn.Embedding"):
            return self._rows(index)

    def attend(self, x: Array) -> Array:
        """Compare a vector with all vectors of the table, as a language model does to choose the next word.

        **Arguments**

        - `x`: shape `(embedding_size,)`.

        **Returns**

        The inner products `weight @ x`, of shape `(num_embeddings,)`.

        **Raises**

        - `ValueError`: `x` has another shape. For several vectors, use `jax.vmap`.

        **Example**
        ```python
        >>> embedding = eqx.nn.Embedding(weight=jnp.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]))
        >>> embedding.attend(jnp.array([1.0, -1.0]))
        Array([ 1., -2.,  0.], dtype=float32)

        ```
        """
        x = checked(self, "x", x, (self.embedding_size,))
        with jax.named_scope("eqx.nn.Embedding"):
            return jnp.asarray(self.weight) @ x

    def _as_index(self, x: Array) -> Array:
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise TypeError(f"{locate('x')} of `{type(self).__name__}` must be an integer, found {describe(x)}.")
        # JAX 0.8 adds the length of the table to a negative index in the dtype of the index: overflow.
        return x.astype("int32") if x.dtype.itemsize < 4 else x

    def _rows(self, index: Array) -> Array:
        """One vector for each index."""
        rows = jnp.asarray(self.weight)[index]
        if self.padding_idx is None:
            return rows
        return jnp.where(self._is_padding(index)[..., jnp.newaxis], constant(rows), rows)

    def _is_padding(self, index: Array) -> Array:
        assert self.padding_idx is not None  # or else there is none
        return (index == self.padding_idx) | (index == self.padding_idx - self.num_embeddings)


def _as_row(padding_idx: int, rows: int) -> int:
    row = operator.index(padding_idx) if hasattr(padding_idx, "__index__") else rows
    if not -rows <= row < rows:
        expected = f"an integer from {-rows} to {rows - 1}, the index of a row"
        raise ValueError(f"{locate('padding_idx')} must be {expected}, found {describe(padding_idx)}.")
    return row % rows
