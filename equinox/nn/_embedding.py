"""`Embedding`: a table of vectors, one for each of finitely many things."""

from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._initialise import parameter_dtype
from ._shapes import as_size, checked


class Embedding(Module):
    """Looks up a vector by its index: row `x` of the table `weight`.

    The table starts with independent draws from the standard normal distribution, unless it is given.

    **Arguments**

    - `num_embeddings`: the number of vectors in the table.
    - `embedding_size`: the size of each.
    - `weight`: the table itself, of shape `(num_embeddings, embedding_size)`. Nothing else is needed then: `dtype` and
        `key` are ignored, and sizes have to agree with it if they are given.
    - `dtype`: of the table, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.
    - `key`: a PRNG key, for the initial table.

    **Raises**

    - `ValueError`: there is neither a `weight` nor all of `num_embeddings`, `embedding_size` and `key`; a size is not a
        non-negative integer; `weight` has not two axes, or is of other sizes than those given; `dtype` is an integer
        one.

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

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_embeddings = field(static=True)
        embedding_size = field(static=True)

    def __init__(
        self,
        num_embeddings: int | None = None,
        embedding_size: int | None = None,
        weight: Array | None = None,
        dtype: DTypeLike | None = None,
        *,
        key: Array | None = None,
    ) -> None:
        given = {"num_embeddings": num_embeddings, "embedding_size": embedding_size}
        sizes = {name: as_size(name, size) for name, size in given.items() if size is not None}
        if weight is None:
            missing = [*(name for name in given if name not in sizes), *(["key"] if key is None else [])]
            if key is None or missing:
                names = ", ".join(f"`{name}`" for name in missing)
                raise ValueError(f"`Embedding` needs {names}, unless the table is given as `weight`.")
            weight = jax.random.normal(key, tuple(sizes.values()), parameter_dtype(dtype))
        shape: tuple[int, ...] = getattr(weight, "shape", ())
        if len(shape) != 2:
            expected = "an array of shape (num_embeddings, embedding_size)"
            raise ValueError(f"{locate('weight')} must be {expected}, found {describe(weight)}.")
        found = dict(zip(given, shape, strict=True))
        for name, size in sizes.items():
            if size != found[name]:
                raise ValueError(f"{locate(name)} is {size}, but {locate('weight')} has shape {shape}.")
        self.num_embeddings, self.embedding_size = shape
        self.weight = weight

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
        index = checked(self, "x", x, ())
        if not jnp.issubdtype(index.dtype, jnp.integer):
            raise TypeError(f"{locate('x')} of `Embedding` must be an integer, found {describe(x)}.")
        with jax.named_scope("eqx.nn.Embedding"):
            if index.dtype.itemsize < 4:
                # JAX 0.8 adds the length of the table to a negative index in the dtype of the index: overflow.
                index = index.astype("int32")
            return jnp.asarray(self.weight)[index]
