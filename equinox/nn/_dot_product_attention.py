"""`dot_product_attention`: attention with several heads, by plain arithmetic or by one of JAX's fused kernels."""

from collections.abc import Callable
from typing import Literal, TypeAlias, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from .._errors import describe, locate
from ._dropout import Dropout
from ._shapes import as_size
from ._single_head import as_mask
from ._single_head import dot_product_attention as attend_with_one_head

Implementation: TypeAlias = Literal["math", "xla", "cudnn"]
Window: TypeAlias = int | tuple[int, int]


def dot_product_attention(
    query: Array,
    key_: Array,
    value: Array,
    *,
    mask: Array | None = None,
    bias: Array | None = None,
    scale: ArrayLike | None = None,
    is_causal: bool = False,
    window: Window | None = None,
    dropout: Dropout | None = None,
    key: Array | None = None,
    inference: bool | None = None,
    implementation: Implementation | None = "math",
) -> Array:
    r"""Average values for each query, weighted by how well their keys match the query; for each head by itself.

    With queries $Q$, keys $K$ and values $V$ of a head, and its bias $B$, the result is

    $$\mathrm{softmax}\left(s\,Q K^T + B\right) V.$$

    There may be fewer heads of keys and values than of queries. Then each serves several consecutive heads of queries:
    $h$ heads of queries and $g$ of keys make head $i$ of the queries use head $\lfloor i g / h \rfloor$ of the keys.

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017. Ainslie et al., *GQA: Training Generalized Multi-Query
    Transformer Models from Multi-Head Checkpoints*, EMNLP 2023, for fewer heads of keys and values. Beltagy et al.,
    *Longformer: The Long-Document Transformer*, 2020, for windows.

    **Arguments**

    - `query`: shape `(queries, num_heads, d)`.
    - `key_`: shape `(keys, num_kv_heads, d)`, where `num_kv_heads` divides `num_heads`. (`key` is the PRNG key.)
    - `value`: shape `(keys, num_kv_heads, v)`.
    - `mask`: shape `(queries, keys)`, or `(num_heads, queries, keys)` for a mask for each head: true (or an integer
        other than 0) where a query may see a key. A query that may see nothing sees all keys equally.
    - `bias`: the same shapes, added to the logits.
    - `scale`: the number $s$, by default $1 / \sqrt{d}$.
    - `is_causal`: whether a query sees only the keys up to its own position. Query $i$ is at the position of key
        $i + \max(\text{keys} - \text{queries}, 0)$: if there are more keys, then the queries are the last ones.
    - `window`: how many keys before and after its own position a query sees, `(before, after)`, or one number for both.
        It always sees the one at its own position. What a mask, causality or a window forbids is not seen.
    - `dropout`: applied to the weights, with `inference`, and for each head with its own part of `key`.
    - `implementation`: `"math"` is plain arithmetic. The others are those of `jax.nn.dot_product_attention`: `"xla"`,
        `"cudnn"` (fused, for some NVIDIA GPUs, dtypes and sizes), or `None` for JAX to choose. These need `d` = `v` and
        one dtype, and have no dropout.

    **Returns**

    An array of shape `(queries, num_heads, v)`.

    **Raises**

    - `ValueError`: an argument has another shape; `window` is not one or two non-negative integers; `implementation`
        is unknown, or cannot do what is asked. For a batch, use `jax.vmap`.
    - `TypeError`: `mask` consists of floating-point numbers.
    - `RuntimeError`: dropout needs a `key`, and there is none; cuDNN is asked for, and is missing or unable.

    **Example**
    ```python
    >>> query = jax.random.normal(jax.random.key(0), (5, 4, 8))
    >>> key_, value = jax.random.normal(jax.random.key(1), (2, 5, 2, 8))
    >>> out = eqx.nn.dot_product_attention(query, key_, value, is_causal=True)
    >>> out.shape
    (5, 4, 8)
    >>> fused = eqx.nn.dot_product_attention(query, key_, value, is_causal=True, implementation="xla")
    >>> bool(jnp.allclose(out, fused, atol=1e-5))
    True

    ```
    """
    query, key_, value = (jnp.asarray(x) for x in (query, key_, value))
    _check_heads(query, key_, value)
    queries, num_heads, _ = query.shape
    keys = key_.shape[0]
    if mask is not None:
        mask = for_heads("mask", as_mask(mask), num_heads, queries, keys)
    if bias is not None:
        bias = for_heads("bias", jnp.asarray(bias), num_heads, queries, keys)
    window = None if window is None else as_window(window)
    offset = max(keys - queries, 0)
    if implementation != "math":
        _check_implementation(implementation, query, value, _drops(dropout, inference))
        # JAX has the first query at the position of the first key. JAX 0.8 forgets a window, except for cuDNN.
        if offset > 0 or (window is not None and implementation != "cudnn"):
            mask, is_causal, window = both(mask, visible(queries, keys, offset, is_causal, window)), False, None
        with jax.numpy_dtype_promotion("standard"):  # JAX's function fails for few bits where promotion is strict
            return jax.nn.dot_product_attention(
                query,
                key_,
                value,
                bias,
                mask,
                scale=cast(float | None, scale),  # it may be an array too
                is_causal=is_causal,
                local_window_size=window,
                implementation=implementation,
            )
    mask = both(mask, visible(queries, keys, offset, is_causal, window))
    return _plain(query, key_, value, mask, bias, scale, dropout, key, inference)


def visible(
    queries: int, keys: int, offset: int | Array, is_causal: bool, window: tuple[int, int] | None
) -> Array | None:
    """Say which keys queries may see because of their positions.

    **Arguments**

    - `queries`, `keys`: how many there are.
    - `offset`: the position of the first query. That of the first key is 0.
    - `is_causal`, `window`: as for `dot_product_attention`.

    **Returns**

    A mask of shape `(1, queries, keys)`, or `None` if everything can be seen.
    """
    # How far the key is before the query.
    before = (offset + jnp.arange(queries, dtype="int32"))[:, None] - jnp.arange(keys, dtype="int32")[None]
    seen = before >= 0 if is_causal else None
    if window is not None:
        left, right = window
        seen = both(seen, (before <= left) & (before >= -right))
    return None if seen is None else seen[None]


def both(mask: Array | None, other: Array | None) -> Array | None:
    """The mask that lets through what two masks let through. `None` lets everything through."""
    if mask is None or other is None:
        return other if mask is None else mask
    return mask & other


def as_window(window: Window) -> tuple[int, int]:
    """Return how many keys before and after its own position a query sees.

    **Raises**

    - `ValueError`: these are not one or two non-negative integers.
    """
    given: object = window
    sides = tuple(cast(tuple[int, ...], given)) if isinstance(given, (tuple, list)) else (window, window)
    if len(sides) != 2:
        raise ValueError(f"{locate('window')} must be an integer or a pair of them, found {describe(window)}.")
    left, right = (as_size("window", cast(int, side)) for side in sides)
    return left, right


def _check_heads(query: Array, key_: Array, value: Array) -> None:
    shapes = {"query": query.shape, "key_": key_.shape, "value": value.shape}
    for argument, shape in shapes.items():
        if len(shape) != 3:
            message = f"{locate(argument)} must have shape (length, heads, size), found shape {shape}."
            if len(shape) > 3:
                message += " It is one example at a time: for a batch, use `jax.vmap`."
            raise ValueError(message)
    if key_.shape[:2] != value.shape[:2]:
        found = f"{key_.shape[:2]} and {value.shape[:2]}"
        raise ValueError(f"{locate('key_')} and {locate('value')} must agree in length and heads, found {found}.")
    if query.shape[2] != key_.shape[2]:
        found = f"{query.shape[2]} and {key_.shape[2]}"
        raise ValueError(f"{locate('query')} and {locate('key_')} must have vectors of the same size, found {found}.")
    heads, kv_heads = query.shape[1], key_.shape[1]
    if kv_heads == 0 or heads % kv_heads != 0:
        message = f"The number of heads of {locate('key_')} must divide that of {locate('query')}"
        raise ValueError(f"{message}, found {kv_heads} and {heads}.")


def for_heads(argument: str, array: Array, num_heads: int, queries: int, keys: int) -> Array:
    """A mask or bias with an axis for the heads, which has length 1 if there is one for all of them."""
    if array.shape not in {(queries, keys), (1, queries, keys), (num_heads, queries, keys)}:
        expected = f"{(queries, keys)} or {(num_heads, queries, keys)}"
        raise ValueError(f"{locate(argument)} must have shape {expected}, found shape {array.shape}.")
    return array if array.ndim == 3 else array[None]


def _check_implementation(implementation: object, query: Array, value: Array, drops: bool) -> None:
    if implementation not in ("xla", "cudnn", None):
        expected = '"math", "xla", "cudnn" or `None`'
        raise ValueError(f"{locate('implementation')} must be {expected}, found {describe(implementation)}.")
    name = f"{locate('implementation')} is `{implementation!r}`, of JAX,"
    if drops:
        raise ValueError(f'{name} which has no dropout. Use "math", or `inference=True`.')
    if query.shape[-1] != value.shape[-1]:
        sizes = f"{query.shape[-1]} and {value.shape[-1]}"
        raise ValueError(f'{name} which needs keys and values of one size, found {sizes}. Use "math".')


def _drops(dropout: Dropout | None, inference: bool | None) -> bool:
    """Whether it is not certain that nothing will be dropped."""
    if dropout is None or (isinstance(dropout.p, (int, float)) and dropout.p == 0):
        return False
    flag = dropout.inference if inference is None else inference
    return isinstance(cast(object, flag), Tracer) or not flag


def _plain(
    query: Array,
    key_: Array,
    value: Array,
    mask: Array | None,
    bias: Array | None,
    scale: ArrayLike | None,
    dropout: Dropout | None,
    key: Array | None,
    inference: bool | None,
) -> Array:
    """Attention by plain arithmetic. The first axis of `mask` and `bias` is that of the heads, or has length 1."""
    queries, num_heads, size = query.shape
    num_kv_heads = key_.shape[1]
    in_group = num_heads // num_kv_heads  # heads that share one of the keys

    def attend(
        query: Array, key_: Array, value: Array, mask: Array | None, bias: Array | None, key: Array | None
    ) -> Array:
        return attend_with_one_head(
            query, key_, value, mask, dropout, key=key, inference=inference, bias=bias, scale=scale
        )

    arrays: list[Array | None] = []
    axes: list[int | None] = []
    for array in (mask, bias, None if key is None else jax.random.split(key, num_heads)):
        is_shared = array is None or array.shape[0] == 1
        arrays.append(array[0] if array is not None and is_shared else array)
        axes.append(None if is_shared else 0)
    attend_in_group: Callable[..., Array] = attend
    if in_group > 1:
        query = query.reshape(queries, num_kv_heads, in_group, size)
        arrays = [
            array if array is None or axis is None else array.reshape(num_kv_heads, in_group, *array.shape[1:])
            for array, axis in zip(arrays, axes, strict=True)
        ]
        attend_in_group = jax.vmap(attend, in_axes=(1, None, None, *axes), out_axes=1)
    attended: Array = jax.vmap(attend_in_group, in_axes=(1, 1, 1, *axes), out_axes=1)(query, key_, value, *arrays)
    return attended.reshape(queries, num_heads, value.shape[2])
