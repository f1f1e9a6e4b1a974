"""`hashable_partition`: split a PyTree such that the part that is no array can be the key of a dictionary."""

from collections.abc import Callable, Sequence
from typing import Any

from .._jax_tree import PyTreeDef, tree_flatten


def hashable_partition(
    pytree: Any, filter_fn: Callable[[Any], bool]
) -> tuple[tuple[Any, ...], tuple[tuple[Any, ...], PyTreeDef]]:
    """Split a PyTree in two, as [`partition`][equinox.partition] does, but into tuples of leaves.

    **Arguments**

    - `pytree`: any PyTree.
    - `filter_fn`: called with each leaf; the first part has those for which this is true.

    **Returns**

    The leaves of the first part, and a pair: those of the second part, and the structure. In place of each leaf of the
    other part there is `None`. The second part has a hash if its leaves have one.

    **Example**
    ```python
    >>> dynamic, static = hashable_partition({"rate": 0.1, "name": "sgd"}, eqx.is_inexact_array_like)
    >>> dynamic
    (None, 0.1)
    >>> hashable_combine(dynamic, static)
    {'name': 'sgd', 'rate': 0.1}

    ```
    """
    leaves, treedef = tree_flatten(pytree)
    mask = [filter_fn(leaf) for leaf in leaves]
    pairs = list(zip(leaves, mask, strict=True))
    dynamic = tuple(leaf if is_dynamic else None for leaf, is_dynamic in pairs)
    static = tuple(None if is_dynamic else leaf for leaf, is_dynamic in pairs)
    return dynamic, (static, treedef)


def hashable_combine(dynamic_leaves: Sequence[Any], static: tuple[Sequence[Any], PyTreeDef]) -> Any:
    """Undo [`hashable_partition`][equinox.internal.hashable_partition].

    **Arguments**

    - `dynamic_leaves`, `static`: what it returned; each leaf may have been replaced by another.

    **Returns**

    The PyTree.
    """
    static_leaves, treedef = static
    pairs = zip(dynamic_leaves, static_leaves, strict=True)
    return treedef.unflatten(other if leaf is None else leaf for leaf, other in pairs)
