"""Call a layer with another weight than the one it holds."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax.numpy as jnp
from jax import Array

from .._errors import describe, locate
from .._tree.at import tree_at
from .._tree.predicates import is_array_like

_Layer = TypeVar("_Layer", bound=Callable[..., Any])


def weight_of(layer: object, name: str) -> Array:
    """The attribute of a layer that is to be replaced, a JAX array.

    **Raises**

    - `AttributeError`: `layer` has no attribute of this name.
    - `ValueError`: it is not an array.
    """
    weight: object = getattr(layer, name)
    if not is_array_like(weight):
        raise ValueError(
            f"{locate('weight_name')}: the attribute `{name}` of `{type(layer).__name__}` must be an array, found "
            f"{describe(weight)}."
        )
    return jnp.asarray(weight)


def with_weight(layer: _Layer, name: str, weight: Array) -> _Layer:
    """Return a layer whose attribute `name` is `weight`, and which is otherwise the same."""
    return tree_at(lambda node: getattr(node, name), layer, weight)


def call_with_weight(layer: Callable[..., Any], name: str, weight: Array, x: Array) -> Array:
    """Return the output of a layer for `x` as if its attribute `name` were `weight`."""
    out: Array = with_weight(layer, name, weight)(x)
    return out
