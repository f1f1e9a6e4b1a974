"""Add a PyTree of updates, such as an optimiser's, to a model."""

from typing import Any, TypeAlias, TypeVar, cast

import jax
import numpy as np

from .._errors import describe, locate
from .._jax_tree import tree_leaves_with_path
from .describe import describe_node
from .one_level import is_tree_leaf
from .predicates import is_array, is_none
from .prefix import flatten_up_to

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


def apply_updates(model: _T, updates: _PyTree) -> _T:
    """Add an update to every leaf of a model: `leaf + update`.

    Arrays keep their dtype and weak type, so that a compiled training step is not compiled again for its own result.

    **Arguments**

    - `model`: any PyTree.
    - `updates`: a PyTree of the same structure. A `None` leaves everything below its place unchanged; a gradient has it
        where nothing was differentiated.

    **Returns**

    A PyTree of the structure of `model`.

    **Raises**

    - `ValueError`: if the structures differ otherwise; the message names the key path.
    - `TypeError`: if something cannot be added to its leaf; the message names the key path.

    **Example**
    ```python
    >>> eqx.apply_updates({"weight": jnp.ones(2), "name": "a"}, {"weight": jnp.full(2, 0.5), "name": None})
    {'name': 'a', 'weight': Array([1.5, 1.5], dtype=float32)}

    ```
    """
    increments, subtrees, treedef = flatten_up_to(
        updates, model, argument="updates", tree_argument="model", is_leaf=is_none
    )
    updated: list[Any] = []
    for index, (increment, subtree) in enumerate(zip(increments, subtrees, strict=True)):
        if increment is None:
            updated.append(subtree)
        elif is_tree_leaf(subtree):
            try:
                updated.append(_add(subtree, increment))
            except (TypeError, ValueError) as error:
                raise TypeError(
                    f"{_locate(updates, index)}: found {describe(increment)}, which cannot be added to the leaf of "
                    f"`model` there, {describe(subtree)}. Use `None` for a leaf that is not to be updated."
                ) from error
        else:
            updated.append(_add_to_node(subtree, increment, updates, index))
    return cast(_T, treedef.unflatten(updated))


def _add(leaf: Any, increment: Any) -> Any:
    total = leaf + increment
    if not (is_array(leaf) and is_array(total)):
        return total
    dtype = leaf.dtype
    if isinstance(leaf, (np.ndarray, np.generic)) and isinstance(total, jax.Array):
        dtype = jax.dtypes.canonicalize_dtype(dtype)  # NumPy's 64 bits are 32 in JAX unless configured otherwise
    if total.dtype != dtype:
        total = total.astype(dtype)
    if isinstance(leaf, jax.Array) and isinstance(total, jax.Array) and leaf.weak_type and not total.weak_type:
        # Writing into an array keeps its weak type; a weakly typed array cannot be asked for directly.
        return leaf.at[...].set(total) if leaf.shape == total.shape else total
    return total


def _add_to_node(node: object, increment: Any, updates: _PyTree, index: int) -> _PyTree:
    """Add by the node's own `+`, if it has one that takes the increment."""
    add = getattr(type(node), "__add__", None)
    try:
        total = NotImplemented if add is None else add(node, increment)
    except TypeError:
        total = NotImplemented
    if total is NotImplemented:
        raise ValueError(
            f"{_locate(updates, index)}: found {describe_node(increment)}, where `model` has {describe_node(node)}. "
            "`updates` must have the structure of `model`, except for a `None` where nothing is to be updated."
        )
    return total


def _locate(updates: _PyTree, index: int) -> str:
    path, _ = tree_leaves_with_path(updates, is_none)[index]
    return locate("updates", path)
