"""`MultiheadAttention`: every element of a sequence asks all elements of another one, and averages their answers."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._dropout import Dropout
from ._linear import Linear
from ._shapes import as_size, checked
from ._spelling import spelled

ProcessHeads: TypeAlias = Callable[[Array, Array, Array], tuple[Array, Array, Array]]


def dot_product_attention_weights(query: Array, key: Array, mask: Array | None = None) -> Array:
    r"""How much of each key's value goes to each query: $\mathrm{softmax}(Q K^T / \sqrt{d})$.

    The softmax is computed in `float32` at least.

    **Arguments**

    - `query`: shape `(queries, d)`.
    - `key`: shape `(keys, d)`.
    - `mask`: shape `(queries, keys)`, true where a query may see a key. A query that may see nothing sees all keys
        equally.

    **Returns**

    An array of shape `(queries, keys)`, whose rows are probabilities.

    **Raises**

    - `ValueError`: `mask` has another shape.
    - `TypeError`: `mask` consists of floating-point numbers.
    """
    logits = (query / math.sqrt(query.shape[-1] or 1)) @ key.T
    if mask is not None:
        mask = _as_mask(mask)
        if mask.shape != logits.shape:
            raise ValueError(f"{locate('mask')} must have shape {logits.shape}, found shape {mask.shape}.")
        # The lowest finite number, because with minus infinity a row without any key would become nan.
        lowest = float(cast(Any, jnp.finfo)(logits.dtype).min)  # JAX leaves it unannotated
        logits = jnp.where(mask, logits, lowest)
    precise = logits.astype("float32") if logits.dtype.itemsize < 4 else logits
    return jax.nn.softmax(precise, axis=-1).astype(logits.dtype)


def dot_product_attention(
    query: Array,
    key_: Array,
    value: Array,
    mask: Array | None = None,
    dropout: Dropout | None = None,
    *,
    key: Array | None = None,
    inference: bool | None = None,
) -> Array:
    """Average the values with the weights of [`dot_product_attention_weights`][]: attention with a single head.

    **Arguments**

    - `query`: shape `(queries, d)`.
    - `key_`: shape `(keys, d)`.
    - `value`: shape `(keys, v)`.
    - `mask`: shape `(queries, keys)`, true where a query may see a key.
    - `dropout`: applied to the weights, with `key` and `inference`.

    **Returns**

    An array of shape `(queries, v)`.
    """
    weights = dot_product_attention_weights(query, key_, mask)
    if dropout is not None:
        weights = dropout(weights, key=key, inference=inference)
    return weights @ value


class MultiheadAttention(Module):
    r"""Attention: for each query an average of values, weighted by how well their keys match the query.

    All three are first transformed linearly, for each of several heads in its own way. With matrices $W$ of the
    projections and $d$ = `qk_size`, head $i$ computes

    $$\mathrm{softmax}\left(\frac{Q_i K_i^T}{\sqrt d}\right) V_i, \quad
    Q_i = q\,W_i^{q\,T}, \ K_i = k\,W_i^{k\,T}, \ V_i = v\,W_i^{v\,T},$$

    and the heads, one after the other, are transformed linearly to the output. If query, key and value are one
    sequence, then it is called self-attention.

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017.

    **Arguments**

    - `num_heads`: the number of heads, at least 1.
    - `query_size`, `key_size`, `value_size`: the sizes of the vectors that come in. The latter two are `query_size` by
        default.
    - `output_size`: the size of the vectors that come out, by default `query_size`.
    - `qk_size`, `vo_size`: for each head the size of queries and keys, and that of values; by default
        `query_size // num_heads`.
    - `use_query_bias`, `use_key_bias`, `use_value_bias`, `use_output_bias`: whether the projections have a bias.
    - `dropout_p`: the probability of dropping each weight.
    - `inference`, or `deterministic`: whether to drop none. It is the flag of the layer's `dropout`.
    - `dtype`: of the parameters, as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.

    **Raises**

    - `ValueError`: `num_heads` is not a positive integer; a size is not a non-negative one; `dropout_p` is outside
        $[0, 1]$; `dtype` is an integer one.

    **Example**
    ```python
    >>> attention = eqx.nn.MultiheadAttention(num_heads=2, query_size=8, key=jax.random.key(0))
    >>> x = jax.random.normal(jax.random.key(1), (5, 8))
    >>> attention(x, x, x).shape
    (5, 8)

    ```
    With `causal`, an element sees itself and what is before it. With `rope`, the heads know where elements stand:
    ```python
    >>> causal = jnp.tril(jnp.ones((5, 5), bool))
    >>> rope = jax.vmap(eqx.nn.RotaryPositionalEmbedding(4), in_axes=1, out_axes=1)
    >>> attention(x, x, x, mask=causal, process_heads=lambda q, k, v: (rope(q), rope(k), v)).shape
    (5, 8)

    ```
    """

    query_proj: Final[Linear]
    key_proj: Final[Linear]
    value_proj: Final[Linear]
    output_proj: Final[Linear]
    dropout: Final[Dropout]
    num_heads: Final[int]
    query_size: Final[int]
    key_size: Final[int]
    value_size: Final[int]
    output_size: Final[int]
    qk_size: Final[int]
    vo_size: Final[int]
    use_query_bias: Final[bool]
    use_key_bias: Final[bool]
    use_value_bias: Final[bool]
    use_output_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_heads = field(static=True)
        query_size = field(static=True)
        key_size = field(static=True)
        value_size = field(static=True)
        output_size = field(static=True)
        qk_size = field(static=True)
        vo_size = field(static=True)
        use_query_bias = field(static=True)
        use_key_bias = field(static=True)
        use_value_bias = field(static=True)
        use_output_bias = field(static=True)

    def __init__(
        self,
        num_heads: int,
        query_size: int,
        key_size: int | None = None,
        value_size: int | None = None,
        output_size: int | None = None,
        qk_size: int | None = None,
        vo_size: int | None = None,
        use_query_bias: bool = False,
        use_key_bias: bool = False,
        use_value_bias: bool = False,
        use_output_bias: bool = False,
        dropout_p: float = 0.0,
        inference: bool = False,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        deterministic: bool | None = None,
    ) -> None:
        self.num_heads = as_size("num_heads", num_heads)
        if self.num_heads == 0:
            raise ValueError(f"{locate('num_heads')} must be at least 1, found 0.")
        self.query_size = as_size("query_size", query_size)

        def size_or(default: int, argument: str, size: int | None) -> int:
            return default if size is None else as_size(argument, size)

        self.key_size = size_or(self.query_size, "key_size", key_size)
        self.value_size = size_or(self.query_size, "value_size", value_size)
        self.output_size = size_or(self.query_size, "output_size", output_size)
        self.qk_size = size_or(self.query_size // self.num_heads, "qk_size", qk_size)
        self.vo_size = size_or(self.query_size // self.num_heads, "vo_size", vo_size)
        self.use_query_bias = bool(use_query_bias)
        self.use_key_bias = bool(use_key_bias)
        self.use_value_bias = bool(use_value_bias)
        self.use_output_bias = bool(use_output_bias)

        all_qk, all_vo = self.num_heads * self.qk_size, self.num_heads * self.vo_size
        query_key, key_key, value_key, output_key = jax.random.split(key, 4)
        self.query_proj = Linear(self.query_size, all_qk, self.use_query_bias, dtype, key=query_key)
        self.key_proj = Linear(self.key_size, all_qk, self.use_key_bias, dtype, key=key_key)
        self.value_proj = Linear(self.value_size, all_vo, self.use_value_bias, dtype, key=value_key)
        self.output_proj = Linear(all_vo, self.output_size, self.use_output_bias, dtype, key=output_key)
        self.dropout = Dropout(dropout_p, spelled(inference, deterministic=deterministic))

    def __call__(
        self,
        query: Array,
        key_: Array,
        value: Array,
        mask: Array | None = None,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
        process_heads: ProcessHeads | None = None,
    ) -> Array:
        """Average the values of one sequence for each query of another (or the same) one.

        **Arguments**

        - `query`: shape `(queries, query_size)`.
        - `key_`: shape `(keys, key_size)`. (`key` is the PRNG key, as everywhere.)
        - `value`: shape `(keys, value_size)`.
        - `mask`: shape `(queries, keys)`, or `(num_heads, queries, keys)` for a mask for each head: true (or an integer
            other than 0) where a query may see a key. A query that may see nothing sees all keys equally.
        - `key`: a PRNG key for dropout. Each head gets a part of it.
        - `inference`, or `deterministic`: if given, decides instead of the flag of `dropout`.
        - `process_heads`: a function of the projected queries, keys and values. Their shapes are
            `(queries, num_heads, qk_size)`, `(keys, num_heads, qk_size)` and `(keys, num_heads, vo_size)`. It returns
            three arrays of the same shapes, which are used in their stead.

        **Returns**

        An array of shape `(queries, output_size)`.

        **Raises**

        - `ValueError`: an argument or a result of `process_heads` has another shape; there are more keys than values or
            the other way round; `inference` and `deterministic` are both given and differ. For a batch of sequences,
            use `jax.vmap`.
        - `TypeError`: `mask` consists of floating-point numbers. (Nothing is added to the logits.)
        - `RuntimeError`: dropout needs a `key`, and there is none.
        """
        query = checked(self, "query", query, (None, self.query_size))
        key_ = checked(self, "key_", key_, (None, self.key_size))
        value = checked(self, "value", value, (None, self.value_size))
        if len(key_) != len(value):
            raise ValueError(f"{locate('key_')} and {locate('value')} differ in length: {len(key_)} and {len(value)}.")
        if mask is not None:
            mask = self._mask_of_heads(mask, len(query), len(key_))
        inference = spelled(self.dropout.inference, inference=inference, deterministic=deterministic)

        def attend(query: Array, key_: Array, value: Array, mask: Array | None, key: Array | None) -> Array:
            return dot_product_attention(query, key_, value, mask, self.dropout, key=key, inference=inference)

        with jax.named_scope("eqx.nn.MultiheadAttention"):
            heads = (
                self._split_heads(self.query_proj, query),
                self._split_heads(self.key_proj, key_),
                self._split_heads(self.value_proj, value),
            )
            if process_heads is not None:
                heads = _processed(process_heads, heads)
            keys = None if key is None else jax.random.split(key, self.num_heads)
            attended = jax.vmap(attend, in_axes=(1, 1, 1, 0, 0), out_axes=1)(*heads, mask, keys)
            return jax.vmap(self.output_proj)(attended.reshape(len(query), self.num_heads * self.vo_size))

    def _split_heads(self, projection: Linear, x: Array) -> Array:
        projected = jax.vmap(projection)(x)
        return projected.reshape(len(x), self.num_heads, projected.shape[-1] // self.num_heads)

    def _mask_of_heads(self, mask: Array, queries: int, keys: int) -> Array:
        mask = _as_mask(mask)
        if mask.shape not in {(queries, keys), (1, queries, keys), (self.num_heads, queries, keys)}:
            expected = f"{(queries, keys)} or {(self.num_heads, queries, keys)}"
            message = f"{locate('mask')} of `MultiheadAttention` must have shape {expected}, found shape {mask.shape}."
            raise ValueError(message)
        return jnp.broadcast_to(mask, (self.num_heads, queries, keys))


def _as_mask(mask: Array) -> Array:
    mask = jnp.asarray(mask)
    if jnp.issubdtype(mask.dtype, jnp.inexact):
        message = f"{locate('mask')} must be boolean, true where a query may see a key, found {describe(mask)}."
        raise TypeError(f"{message} For one that is meant to be added to the logits, pass `mask == 0`.")
    return mask.astype(bool)


def _processed(process_heads: ProcessHeads, heads: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    found = process_heads(*heads)
    expected = [head.shape for head in heads]
    shapes = [jnp.shape(head) for head in found]
    if shapes != expected:
        given = "queries, keys and values"
        raise ValueError(f"{locate('process_heads')} must return {given} of shapes {expected}, found shapes {shapes}.")
    return found
