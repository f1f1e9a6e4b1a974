"""`MultiheadAttention`: every element of a sequence asks all elements of another one, and averages their answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._dot_product_attention import Implementation, Window, as_window, both, for_heads, visible
from ._dot_product_attention import dot_product_attention as attend_with_all_heads
from ._dropout import Dropout
from ._initialise import Initialiser, parameter_dtype
from ._kv_cache import KVCache
from ._linear import Linear
from ._shapes import as_size, checked
from ._single_head import as_mask
from ._single_head import dot_product_attention as dot_product_attention  # noqa: PLC0414 # others look for it here
from ._single_head import dot_product_attention_weights as dot_product_attention_weights  # noqa: PLC0414
from ._spelling import spelled

Mask: TypeAlias = Array | Literal["causal"] | tuple[Literal["causal"], Array]
ProcessHeads: TypeAlias = Callable[[Array, Array, Array], tuple[Array, Array, Array]]


class MultiheadAttention(Module):
    r"""Attention: for each query an average of values, weighted by how well their keys match the query.

    All three are first transformed linearly, for each of several heads in its own way. With matrices $W$ of the
    projections and $d$ = `qk_size`, head $i$ computes

    $$\mathrm{softmax}\left(\frac{Q_i K_i^T}{\sqrt d}\right) V_i, \quad
    Q_i = q\,W_i^{q\,T}, \ K_i = k\,W_i^{k\,T}, \ V_i = v\,W_i^{v\,T},$$

    and the heads, one after the other, are transformed linearly to the output. If query, key and value are one
    sequence, then it is called self-attention. With `num_kv_heads` < `num_heads`, several consecutive heads have the
    same keys and values: grouped-query attention, or multi-query attention if there is one.

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017. Shazeer, *Fast Transformer Decoding: One Write-Head is
    All You Need*, 2019, and Ainslie et al., *GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
    Checkpoints*, EMNLP 2023, for fewer heads of keys and values.

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
    - `num_kv_heads`: the number of heads of keys and values, which divides `num_heads`. By default `num_heads`.
    - `weight_init`, `bias_init`: what makes the initial weights and biases of all projections instead, as in
        [`Linear`][equinox.nn.Linear].

    **Raises**

    - `ValueError`: `num_heads` is not a positive integer; `num_kv_heads` does not divide it; a size is not a
        non-negative integer; `dropout_p` is outside $[0, 1]$; `dtype` is an integer one; what `weight_init` or
        `bias_init` returns has another shape or dtype.

    **Example**
    ```python
    >>> attention = eqx.nn.MultiheadAttention(num_heads=2, query_size=8, key=jax.random.key(0))
    >>> x = jax.random.normal(jax.random.key(1), (5, 8))
    >>> attention(x, x, x).shape
    (5, 8)

    ```
    With a causal mask an element sees itself and what is before it. With `rope`, the heads know where elements stand:
    ```python
    >>> rope = jax.vmap(eqx.nn.RotaryPositionalEmbedding(4), in_axes=1, out_axes=1)
    >>> attention(x, x, x, mask="causal", process_heads=lambda q, k, v: (rope(q), rope(k), v)).shape
    (5, 8)

    ```
    A sequence that grows element by element needs each element only once if there is a cache:
    ```python
    >>> def step(cache, element):
    ...     out, cache = attention(element[None], element[None], element[None], cache=cache)
    ...     return cache, out[0]
    >>> cache, out = jax.lax.scan(step, attention.init_cache(max_len=5), x)
    >>> bool(jnp.allclose(out, attention(x, x, x, mask="causal"), atol=1e-6))
    True

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
    num_kv_heads: Final[int]

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
        num_kv_heads = field(static=True)

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
        num_kv_heads: int | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
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

        self.num_kv_heads = size_or(self.num_heads, "num_kv_heads", num_kv_heads)
        if self.num_kv_heads == 0 or self.num_heads % self.num_kv_heads != 0:
            found = f"found {self.num_kv_heads} and {self.num_heads}"
            raise ValueError(f"{locate('num_kv_heads')} must divide {locate('num_heads')}, {found}.")

        def linear(rows: int, columns: int, bias: bool, key: Array) -> Linear:
            return Linear(rows, columns, bias, dtype, key=key, weight_init=weight_init, bias_init=bias_init)

        query_key, key_key, value_key, output_key = jax.random.split(key, 4)
        self.query_proj = linear(self.query_size, self.num_heads * self.qk_size, self.use_query_bias, query_key)
        self.key_proj = linear(self.key_size, self.num_kv_heads * self.qk_size, self.use_key_bias, key_key)
        self.value_proj = linear(self.value_size, self.num_kv_heads * self.vo_size, self.use_value_bias, value_key)
        self.output_proj = linear(self.num_heads * self.vo_size, self.output_size, self.use_output_bias, output_key)
        self.dropout = Dropout(dropout_p, spelled(inference, deterministic=deterministic))

    @overload
    def __call__(
        self,
        query: Array,
        key_: Array,
        value: Array,
        mask: Mask | None = None,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
        process_heads: ProcessHeads | None = None,
        bias: Array | None = None,
        window: Window | None = None,
        implementation: Implementation | None = "math",
        cache: None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        query: Array,
        key_: Array,
        value: Array,
        mask: Mask | None = None,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
        process_heads: ProcessHeads | None = None,
        bias: Array | None = None,
        window: Window | None = None,
        implementation: Implementation | None = "math",
        cache: KVCache,
    ) -> tuple[Array, KVCache]: ...
    def __call__(
        self,
        query: Array,
        key_: Array,
        value: Array,
        mask: Mask | None = None,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
        process_heads: ProcessHeads | None = None,
        bias: Array | None = None,
        window: Window | None = None,
        implementation: Implementation | None = "math",
        cache: KVCache | None = None,
    ) -> Array | tuple[Array, KVCache]:
        """Average the values of one sequence for each query of another (or the same) one.

        **Arguments**

        - `query`: shape `(queries, query_size)`.
        - `key_`: shape `(keys, key_size)`. (`key` is the PRNG key, as everywhere.)
        - `value`: shape `(keys, value_size)`.
        - `mask`: shape `(queries, keys)`, or `(num_heads, queries, keys)` for a mask for each head: true (or an integer
            other than 0) where a query may see a key. A query that may see nothing sees all keys equally. Or
            `"causal"`: a query sees the keys up to its own position, where the last query and the last key are at the
            same one if there are more keys than queries, and otherwise the first ones are. Or a pair: `"causal"` and a
            mask, which must both let through what shall be seen.
        - `key`: a PRNG key for dropout. Each head gets a part of it.
        - `inference`, or `deterministic`: if given, decides instead of the flag of `dropout`.
        - `process_heads`: a function of the projected queries, keys and values. Their shapes are
            `(queries, num_heads, qk_size)`, `(keys, num_kv_heads, qk_size)` and `(keys, num_kv_heads, vo_size)`. It
            returns three arrays of the same shapes, which are used in their stead.
        - `bias`: an array of a shape that `mask` may have, added to the logits.
        - `window`: how many keys before and after its own position a query sees, besides the one there.
        - `implementation`: which one of [`dot_product_attention`][equinox.nn.dot_product_attention] to use.
        - `cache`: the elements of a sequence so far, to which `key_` and `value` add the next ones, and to the last of
            which `query` belongs. A query sees the elements up to its own, whether or not `mask` is `"causal"`. Masks
            and biases are for all of the cache, with `max_len` keys. `process_heads` is called with the new elements:
            the position of the first one is `cache.length`, which is the `offset` for
            [`RotaryPositionalEmbedding`][equinox.nn.RotaryPositionalEmbedding].

        **Returns**

        An array of shape `(queries, output_size)`; if a `cache` is given, a pair of it and the cache to go on with.

        **Raises**

        - `ValueError`: an argument or a result of `process_heads` has another shape; there are more keys than values or
            the other way round; the cache has too little space, or is that of another layer; `inference` and
            `deterministic` are both given and differ; `implementation` cannot do what is asked. For a batch of
            sequences, use `jax.vmap`.
        - `TypeError`: `mask` consists of floating-point numbers, which could be meant as `bias`.
        - `RuntimeError`: dropout needs a `key`, and there is none.
        """
        query = checked(self, "query", query, (None, self.query_size))
        key_ = checked(self, "key_", key_, (None, self.key_size))
        value = checked(self, "value", value, (None, self.value_size))
        queries, keys = len(query), len(key_)
        if keys != len(value):
            raise ValueError(f"{locate('key_')} and {locate('value')} differ in length: {keys} and {len(value)}.")
        mask, is_causal = _split_mask(mask)
        inference = spelled(self.dropout.inference, inference=inference, deterministic=deterministic)

        with jax.named_scope("eqx.nn.MultiheadAttention"):
            heads = (
                _split_heads(self.query_proj, query, self.num_heads),
                _split_heads(self.key_proj, key_, self.num_kv_heads),
                _split_heads(self.value_proj, value, self.num_kv_heads),
            )
            if process_heads is not None:
                heads = _processed(process_heads, heads)
            q, k, v = heads
            if cache is not None:
                position = cache.length + max(keys - queries, 0)  # of the first query
                cache = cache.extended(k, v)
                seen = visible(queries, cache.max_len, position, True, None if window is None else as_window(window))
                if mask is not None:
                    mask = for_heads("mask", as_mask(mask), self.num_heads, queries, cache.max_len)
                mask, is_causal, window = both(mask, seen), False, None
                k, v = cache.keys.astype(k.dtype), cache.values.astype(v.dtype)
            attended = attend_with_all_heads(
                q,
                k,
                v,
                mask=mask,
                bias=bias,
                is_causal=is_causal,
                window=window,
                dropout=self.dropout,
                key=key,
                inference=inference,
                implementation=implementation,
            )
            out = jax.vmap(self.output_proj)(attended.reshape(queries, self.num_heads * self.vo_size))
            return out if cache is None else (jnp.where(cache.length > cache.max_len, jnp.nan, out), cache)

    def init_cache(self, max_len: int, dtype: DTypeLike | None = None) -> KVCache:
        """Make the cache for a sequence without elements.

        **Arguments**

        - `max_len`: how many elements the sequence will have at most.
        - `dtype`: of the cached keys and values, by default that of the weights which they are computed with.

        **Returns**

        A [`KVCache`][equinox.nn.KVCache]. For a batch of sequences, write
        `eqx.filter_vmap(lambda: attention.init_cache(max_len), axis_size=batch_size)()`.

        **Raises**

        - `ValueError`: `max_len` is not a non-negative integer; `dtype` is an integer one.
        """
        shape = (as_size("max_len", max_len), self.num_kv_heads)

        def zeros(projection: Linear, size: int) -> Array:
            return jnp.zeros((*shape, size), projection.weight.dtype if dtype is None else parameter_dtype(dtype))

        keys, values = zeros(self.key_proj, self.qk_size), zeros(self.value_proj, self.vo_size)
        return KVCache(keys, values, jnp.zeros((), "int32"))


def _split_heads(projection: Linear, x: Array, num_heads: int) -> Array:
    projected = jax.vmap(projection)(x)
    return projected.reshape(len(x), num_heads, projected.shape[-1] // num_heads)


def _split_mask(mask: Mask | None) -> tuple[Array | None, bool]:
    """The array in a mask, and whether the mask is causal."""
    name, array = mask if isinstance(mask, tuple) and len(mask) == 2 else (mask, None)
    if isinstance(name, str) and name == "causal":
        return array, True
    if isinstance(mask, (str, tuple)):
        expected = 'an array, "causal", or the pair of "causal" and an array'
        raise ValueError(f"{locate('mask')} must be {expected}, found {describe(mask)}.")
    return mask, False


def _processed(process_heads: ProcessHeads, heads: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    found = process_heads(*heads)
    expected = [head.shape for head in heads]
    shapes = [jnp.shape(head) for head in found]
    if shapes != expected:
        given = "queries, keys and values"
        raise ValueError(f"{locate('process_heads')} must return {given} of shapes {expected}, found shapes {shapes}.")
    return found
