"""`EmbeddingBag`: one vector for a collection of things."""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from .._errors import describe, locate
from .._module import field
from ._embedding import Embedding
from ._initialise import Initialiser
from ._shapes import checked

BagMode: TypeAlias = Literal["sum", "mean", "max"]


class EmbeddingBag(Embedding):
    """Looks up vectors by their indices, and takes their sum, their mean or the largest of each component.

    A bag without members is a vector of zeros. The index `padding_idx` does not count as a member.

    **Arguments**

    - `num_embeddings`, `embedding_size`, `weight`, `dtype`, `key`, `weight_init`, `padding_idx`: as in
        [`Embedding`][equinox.nn.Embedding].
    - `mode`: `"mean"`, `"sum"` or `"max"`.

    **Raises**

    - `ValueError`: as in `Embedding`; `mode` is none of the modes.

    **Example**
    ```python
    >>> bag = eqx.nn.EmbeddingBag(weight=jnp.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]), mode="sum")
    >>> bag(jnp.array([0, 2, 0]))
    Array([5., 3.], dtype=float32)
    >>> bag(jnp.array([0, 2, 0]), mask=jnp.array([True, True, False]))
    Array([4., 3.], dtype=float32)

    ```
    """

    mode: Final[BagMode]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        mode = field(static=True)

    def __init__(
        self,
        num_embeddings: int | None = None,
        embedding_size: int | None = None,
        weight: Array | None = None,
        dtype: DTypeLike | None = None,
        *,
        mode: BagMode = "mean",
        key: Array | None = None,
        weight_init: Initialiser | None = None,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__(
            num_embeddings,
            embedding_size,
            weight,
            dtype,
            key=key,
            weight_init=weight_init,
            padding_idx=padding_idx,
        )
        if mode not in {"sum", "mean", "max"}:
            raise ValueError(f'{locate("mode")} must be "sum", "mean" or "max", found {describe(mode)}.')
        self.mode = mode

    def __call__(self, x: ArrayLike, mask: Array | None = None, *, key: Array | None = None) -> Array:
        """Look up one bag.

        **Arguments**

        - `x`: integers, of shape `(length,)`; each as in `Embedding`.
        - `mask`: booleans, of shape `(length,)`: which of the integers are members of the bag. By default, all are.
        - `key`: ignored.

        **Returns**

        An array of shape `(embedding_size,)`.

        **Raises**

        - `ValueError`: `x` or `mask` has another shape. For several bags, use `jax.vmap`.
        - `TypeError`: `x` does not consist of integers, or `mask` not of booleans.
        """
        index = self._as_index(checked(self, "x", x, (None,)))
        is_member = jnp.ones(index.shape, bool) if mask is None else checked(self, "mask", mask, index.shape)
        if is_member.dtype != bool:
            raise TypeError(f"{locate('mask')} of `EmbeddingBag` must consist of booleans, found {describe(mask)}.")
        with jax.named_scope("eqx.nn.EmbeddingBag"):
            if self.padding_idx is not None:
                is_member = is_member & ~self._is_padding(index)
            members = is_member[:, jnp.newaxis]
            rows = self._rows(index)
            if self.mode == "max":
                largest = jnp.max(rows, axis=0, initial=-jnp.inf, where=members)
                return jnp.where(jnp.any(is_member), largest, jnp.zeros_like(largest))
            total = jnp.sum(rows, axis=0, where=members)
            if self.mode == "sum":
                return total
            return total / jnp.maximum(jnp.sum(is_member), 1).astype(total.dtype)
