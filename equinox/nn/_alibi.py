"""`ALiBi`: tells attention how far apart things are, by preferring what is near."""

from typing import TYPE_CHECKING, Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from ._angles import as_positions
from ._initialise import parameter_dtype
from ._shapes import as_size, checked


class ALiBi(Module):
    r"""Attention with linear biases: a `bias` for attention that decreases with the distance of query and key.

    For a query at position $p$ and a key at position $q$, head $i$ of $n$ = `num_heads` (counted from 1) has the bias

    $$-2^{-8i/n}\,|p - q|.$$

    There are no parameters to train.

    Press et al., *Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation*, ICLR 2022.

    **Arguments**

    - `num_heads`: the number of heads.
    - `dtype`: of the bias. By default `float32`, or `float64` under `jax_enable_x64`.

    **Raises**

    - `ValueError`: `num_heads` is not a non-negative integer; `dtype` is an integer one.

    **Example**
    ```python
    >>> alibi = eqx.nn.ALiBi(num_heads=2)
    >>> alibi(jnp.arange(3))[0]
    Array([[-0.    , -0.0625, -0.125 ],
           [-0.0625, -0.    , -0.0625],
           [-0.125 , -0.0625, -0.    ]], dtype=float32)
    >>> attention = eqx.nn.MultiheadAttention(num_heads=2, query_size=4, key=jax.random.key(0))
    >>> x = jnp.ones((3, 4))
    >>> attention(x, x, x, mask="causal", bias=alibi(jnp.arange(3))).shape
    (3, 4)

    ```
    With a cache, the keys are at all of its positions:
    ```python
    >>> cache = attention.init_cache(max_len=8)
    >>> bias = alibi(cache.length + jnp.arange(3), jnp.arange(cache.max_len))
    >>> out, cache = attention(x, x, x, bias=bias, cache=cache)

    ```
    """

    num_heads: Final[int]
    dtype: Final[np.dtype[Any]]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_heads = field(static=True)
        dtype = field(static=True)

    def __init__(self, num_heads: int, dtype: DTypeLike | None = None) -> None:
        self.num_heads = as_size("num_heads", num_heads)
        self.dtype = parameter_dtype(dtype)

    def __call__(
        self, query_positions: Array, key_positions: Array | None = None, *, key: Array | None = None
    ) -> Array:
        """Compute the bias of all pairs of queries and keys.

        **Arguments**

        - `query_positions`: integers or real numbers of shape `(queries,)`.
        - `key_positions`: those of shape `(keys,)`, by default the positions of the queries.
        - `key`: ignored.

        **Returns**

        An array of shape `(num_heads, queries, keys)`.

        **Raises**

        - `ValueError`: an argument has another shape.
        - `TypeError`: positions are not real numbers.
        """
        queries = as_positions("query_positions", checked(self, "query_positions", query_positions, (None,)))
        if key_positions is None:
            keys = queries
        else:
            keys = as_positions("key_positions", checked(self, "key_positions", key_positions, (None,)))
        with jax.named_scope("eqx.nn.ALiBi"):
            slopes = 2.0 ** (-8 * np.arange(1, self.num_heads + 1) / max(self.num_heads, 1))
            # Only the distance may be rounded: large positions are no numbers of few bits.
            distances = jnp.abs(queries[:, None] - keys[None]).astype(self.dtype)
            return jnp.asarray(-slopes, self.dtype)[:, None, None] * distances[None]
