"""Take a PyTree apart by one level: a node into its immediate children.

`jax.tree.flatten` goes all the way down to the leaves; comparing, checking and explaining trees needs single steps.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from .._jax_tree import KeyPath, PyTreeDef, all_leaves, tree_flatten, tree_flatten_with_path, treedef_is_leaf

_PyTree: TypeAlias = Any


def tree_flatten_one_level(pytree: _PyTree) -> tuple[list[Any], PyTreeDef]:
    """Flatten a PyTree into its immediate children.

    **Arguments**

    - `pytree`: any PyTree.

    **Returns**

    The children, `None`s and empty containers among them, and the structure that puts them together again:
    `jax.tree.unflatten(treedef, children)`. A leaf is its own only child; `None` and empty containers have no children.

    **Raises**

    - `ValueError`: if the node is one of its own children.

    **Example**
    ```python
    >>> children, treedef = eqx.tree_flatten_one_level({"a": [1, 2], "b": None})
    >>> children
    [[1, 2], None]
    >>> jax.tree.unflatten(treedef, children)
    {'a': [1, 2], 'b': None}

    ```
    """
    children, treedef = tree_flatten(pytree, is_leaf=_below_the_root())
    if treedef_is_leaf(treedef):
        return children, treedef
    if any(child is pytree for child in children):
        raise ValueError(
            f"argument `pytree`: this node of type `{type(pytree).__qualname__}` is one of its own children. A PyTree "
            "is finite, so no node may contain itself: put a copy there, or mark the field static."
        )
    return children, treedef


def flatten_one_level_with_path(pytree: _PyTree) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """As `tree_flatten_one_level`, each child with its key path (empty for a leaf, one entry otherwise); no errors."""
    return tree_flatten_with_path(pytree, is_leaf=_below_the_root())


def is_tree_leaf(node: _PyTree) -> bool:
    """Say whether JAX treats an object as a leaf, where `None` and empty containers are nodes."""
    return all_leaves([node])


def _below_the_root() -> Callable[[Any], bool]:
    # Flattening visits the root first. To compare nodes with the root by identity would not stop at a root that
    # contains itself.
    at_root = True

    def is_leaf(_: Any) -> bool:
        nonlocal at_root
        below, at_root = not at_root, False
        return below

    return is_leaf
