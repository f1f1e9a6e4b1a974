"""Check that a PyTree is a tree: that no node sits at two places.

JAX copies a shared node into two independent ones whenever it rebuilds a tree, so that what looked like one layer in
two places is trained as two. A node inside of itself cannot be flattened at all.
"""

from typing import Any, TypeAlias

from .._errors import locate
from .._jax_tree import KeyPath
from .describe import describe_place
from .one_level import flatten_one_level_with_path, is_tree_leaf

_PyTree: TypeAlias = Any


def tree_check(pytree: _PyTree) -> None:
    """Check that no node of a PyTree sits at two places, or inside of itself.

    Nodes are compared by identity. Leaves may be repeated, and so may nodes without any leaf in them, such as `None`
    and empty containers.

    **Arguments**

    - `pytree`: any PyTree.

    **Raises**

    - `ValueError`: if there is such a node; the message names its type and both key paths.

    **Example**
    ```python
    >>> layer = [1, 2]
    >>> eqx.tree_check((layer, [1, 2]))
    >>> eqx.tree_check((layer, layer))
    Traceback (most recent call last):
    ...
    ValueError: argument `pytree`, leaf `[1]`: this node of type `list` is the same object as the one at `[0]`...

    ```
    """
    _check(pytree, (), {}, {})


# The nodes are kept alive: one that is made by flattening its parent would be freed, and its id used again.
_Places: TypeAlias = dict[int, tuple[_PyTree, KeyPath]]


def _check(node: _PyTree, path: KeyPath, above: _Places, seen: _Places) -> bool:
    """Check the subtree below a node, and say whether there are leaves in it."""
    if is_tree_leaf(node):
        return True
    if id(node) in above:
        raise ValueError(
            f"{locate('pytree', path)}: this node of type `{type(node).__qualname__}` is inside of itself: it is also "
            f"at {describe_place(above[id(node)][1])}. A PyTree is finite; put a copy there, or mark the field static."
        )
    if id(node) in seen:
        raise ValueError(
            f"{locate('pytree', path)}: this node of type `{type(node).__qualname__}` is the same object as the one at "
            f"{describe_place(seen[id(node)][1])}. JAX would make two independent nodes of it. Put a copy at one of "
            "the places, or keep it at one place and refer to it from there."
        )
    above[id(node)] = node, path
    children, _ = flatten_one_level_with_path(node)
    has_leaves = False
    for key, child in children:
        has_leaves |= _check(child, path + key, above, seen)
    del above[id(node)]
    if has_leaves:
        seen[id(node)] = node, path
    return has_leaves
