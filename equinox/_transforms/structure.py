"""Where a tree parts from the structure that it should have, for error messages."""

from typing import Any

from .._jax_tree import tree_structure
from .._tree.describe import describe_node, describe_place
from .._tree.one_level import is_tree_leaf
from .._tree.predicates import IsLeaf, is_none
from .._tree.prefix import structural_difference


def has_structure(tree: Any, expected: Any, is_leaf: IsLeaf = is_none) -> bool:
    """Say whether two trees have the same structure, in which, unless told otherwise, `None` is a leaf."""
    return tree_structure(tree, is_leaf) == tree_structure(expected, is_leaf)


def describe_difference(name: str, tree: Any, expected: Any, leaf: str, is_leaf: IsLeaf = is_none) -> str:
    """Say where two trees that do not have the same structure part.

    **Arguments**

    - `name`, `tree`: the tree, and what to call it.
    - `expected`: the tree whose structure it should have.
    - `leaf`: what to call the leaves of that.
    - `is_leaf`: as for `has_structure`.
    """
    path, found, wanted = structural_difference(tree, expected, is_leaf) or ((), tree, expected)
    wanted_text = leaf if wanted is not None and is_tree_leaf(wanted) else describe_node(wanted)
    return f"At {describe_place(path)}, `{name}` has {describe_node(found)}. Expected {wanted_text}."
