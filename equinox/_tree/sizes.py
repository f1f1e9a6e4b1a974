"""How big the arrays in a PyTree are, and how to say so: numbers of parameters, bytes, and lists for programs."""

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from .._jax_tree import keystr, tree_leaves_with_path

_PyTree: TypeAlias = Any


def count_parameters(arrays: Iterable[Any]) -> int:
    """How many numbers there are in those arrays that are floating-point or complex."""
    return sum(math.prod(array.shape) for array in arrays if jnp.issubdtype(array.dtype, jnp.inexact))


def count_bytes(arrays: Iterable[Any]) -> int:
    """How much memory arrays take."""
    return sum(math.prod(array.shape) * array.dtype.itemsize for array in arrays)


def readable_bytes(size: float) -> str:
    """A number of bytes with a unit that suits it.

    **Example**
    ```python
    >>> readable_bytes(141_196_001_280)
    '131.5 GiB'

    ```
    """
    if size < 1024:
        return f"{size} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"


def list_structs(tree: _PyTree) -> list[dict[str, Any]]:
    """List the `jax.ShapeDtypeStruct`s in a tree in a form that can be written as JSON: key path, shape and dtype."""
    return [
        {"path": keystr(path), "shape": list(leaf.shape), "dtype": str(leaf.dtype)}
        for path, leaf in tree_leaves_with_path(tree)
        if isinstance(leaf, jax.ShapeDtypeStruct)
    ]
