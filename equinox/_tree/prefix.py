"""Line a tree prefix up with the tree that it is a prefix of, or say where the two part.

A prefix has the containers of the tree from the root downwards and may stop early: a leaf of the prefix then stands for
everything below that place. It is how a few values are spread over many leaves.
"""

from typing import Any, TypeAlias

from .._errors import locate
from .._jax_tree import KeyPath, PyTreeDef, tree_flatten
from .describe import describe_node, note_static_data
from .one_level import flatten_one_level_with_path, is_tree_leaf
from .predicates import IsLeaf

_PyTree: TypeAlias = Any


def flatten_up_to(
    prefix: _PyTree, tree: _PyTree, *, argument: str, tree_argument: str, is_leaf: IsLeaf = None
) -> tuple[list[Any], list[Any], PyTreeDef]:
    """Flatten a prefix, and cut a tree into the subtrees that the leaves of the prefix stand for.

    **Arguments**

    - `prefix`, `tree`: the prefix and the whole tree.
    - `argument`, `tree_argument`: what the caller's signature calls them, for the error message.
    - `is_leaf`: which nodes of the prefix to treat as leaves.

    **Returns**

    The leaves of the prefix, the subtrees of the tree in the same order, and the structure of the prefix.

    **Raises**

    - `ValueError`: if it is not a prefix of the tree; the message names the key path of the first difference.
    """
    leaves, treedef = tree_flatten(prefix, is_leaf)
    try:
        return leaves, treedef.flatten_up_to(tree), treedef
    except ValueError as error:
        difference = first_difference(prefix, tree, is_leaf)
        if difference is None:
            raise
        path, prefix_node, node = difference
        raise ValueError(
            f"{locate(argument, path)}: found {describe_node(prefix_node)}, where `{tree_argument}` has "
            f"{describe_node(node)}{note_static_data(prefix_node, node)}. `{argument}` must have the containers of "
            f"`{tree_argument}` from the root downwards; it may stop early with a leaf, which then stands for "
            "everything below."
        ) from error


def first_difference(
    prefix: _PyTree, tree: _PyTree, is_leaf: IsLeaf = None, path: KeyPath = ()
) -> tuple[KeyPath, _PyTree, _PyTree] | None:
    """Find the first place, from the root and from the left, where `prefix` is not a prefix of `tree`.

    **Returns**

    The key path of the place and the two nodes found there; `None` if there is no such place.
    """
    if (is_leaf is not None and is_leaf(prefix)) or is_tree_leaf(prefix):
        return None
    prefix_children, prefix_def = flatten_one_level_with_path(prefix)
    children, treedef = flatten_one_level_with_path(tree)
    if prefix_def != treedef:
        return path, prefix, tree
    for (key, prefix_child), (_, child) in zip(prefix_children, children, strict=True):
        difference = first_difference(prefix_child, child, is_leaf, path + key)
        if difference is not None:
            return difference
    return None


def structural_difference(
    tree: _PyTree, other: _PyTree, is_leaf: IsLeaf = None
) -> tuple[KeyPath, _PyTree, _PyTree] | None:
    """Find the first place where two trees of different structures part: neither need be a prefix of the other.

    **Returns**

    The key path of the place and the two nodes found there; `None` if they differ in what has no place.
    """
    if (difference := first_difference(tree, other, is_leaf)) is not None:
        return difference
    # A leaf of `tree` stands where `other` has more.
    if (difference := first_difference(other, tree, is_leaf)) is not None:
        path, other_node, node = difference
        return path, node, other_node
    return None
