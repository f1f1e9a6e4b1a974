"""Attention with a single head, in plain arithmetic: what `equinox.nn.dot_product_attention` does for each head."""

import math
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._errors import describe, locate
from ._dropout import Dropout


def dot_product_attention_weights(
    query: Array,
    key: Array,
    mask: Array | None = None,
    *,
    bias: Array | None = None,
    scale: ArrayLike | None = None,
) -> Array:
    r"""How much of each key's value goes to each query: $\mathrm{softmax}(Q K^T / \sqrt{d} + B)$.

    The bias is added and the softmax is computed in `float32` at least.

    **Arguments**

    - `query`: shape `(queries, d)`.
    - `key`: shape `(keys, d)`.
    - `mask`: shape `(queries, keys)`, true where a query may see a key. A query that may see nothing sees all keys
        equally.
    - `bias`: shape `(queries, keys)`, added to the logits.
    - `scale`: what the queries are multiplied with, by default $1 / \sqrt{d}$.

    **Returns**

    An array of shape `(queries, keys)`, whose rows are probabilities.

    **Raises**

    - `ValueError`: `mask` or `bias` has another shape.
    - `TypeError`: `mask` consists of floating-point numbers.
    """
    query = query / math.sqrt(query.shape[-1] or 1) if scale is None else query * scale
    logits = query @ key.T
    precise = logits.astype("float32") if logits.dtype.itemsize < 4 else logits
    if bias is not None:
        _check_shape("bias", bias, logits.shape)
        precise = precise + bias.astype(precise.dtype)
    if mask is not None:
        mask = as_mask(mask)
        _check_shape("mask", mask, logits.shape)
        # The lowest finite number, because with minus infinity a row without any key would become nan.
        lowest = float(cast(Any, jnp.finfo)(precise.dtype).min)  # JAX leaves it unannotated
        precise = jnp.where(mask, precise, lowest)
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
    bias: Array | None = None,
    scale: ArrayLike | None = None,
) -> Array:
    """Average the values with the weights of `dot_product_attention_weights`.

    **Arguments**

    - `query`: shape `(queries, d)`.
    - `key_`: shape `(keys, d)`.
    - `value`: shape `(keys, v)`.
    - `mask`, `bias`, `scale`: as for the weights.
    - `dropout`: applied to the weights, with `key` and `inference`.

    **Returns**

    An array of shape `(queries, v)`.
    """
    weights = dot_product_attention_weights(query, key_, mask, bias=bias, scale=scale)
    if dropout is not None:
        weights = dropout(weights, key=key, inference=inference)
    return weights @ value


def as_mask(mask: Array) -> Array:
    """Return a mask of booleans or integers as one of booleans.

    **Raises**

    - `TypeError`: it consists of floating-point numbers.
    """
    mask = jnp.asarray(mask)
    if jnp.issubdtype(mask.dtype, jnp.inexact):
        message = f"{locate('mask')} must be boolean, true where a query may see a key, found {describe(mask)}."
        raise TypeError(
            f"{message} For one that is meant to be added to the logits, pass it as `bias`, or `mask == 0`."
        )
    return mask.astype(bool)


def _check_shape(argument: str, found: Array, shape: tuple[int, ...]) -> None:
    if found.shape != shape:
        raise ValueError(f"{locate(argument)} must have shape {shape}, found shape {found.shape}.")
