"""Apply something to the arrays of a PyTree, and let everything else pass by."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from .._jax_tree import tree_flatten
from .._tree.predicates import is_array, is_array_like

_T = TypeVar("_T")


def is_jax_array(leaf: object) -> bool:
    """Whether a leaf is an array that JAX can compute with. NumPy has others, of strings for instance."""
    return is_array(leaf) and is_array_like(leaf)


def map_arrays(function: Callable[[list[jax.Array]], Sequence[Any]], tree: _T) -> _T:
    """Replace the arrays of a PyTree by what a function returns for the list of them; it is not called for none."""
    leaves, treedef = tree_flatten(tree)
    places = [i for i, leaf in enumerate(leaves) if is_jax_array(leaf)]
    if places:
        for i, array in zip(places, function([jnp.asarray(leaves[i]) for i in places]), strict=True):
            leaves[i] = array
    return cast(_T, treedef.unflatten(leaves))
