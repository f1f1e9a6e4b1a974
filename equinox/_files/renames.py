"""Find leaves under the names that they had when they were saved, after fields have been renamed or moved."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .._errors import describe
from .._jax_tree import KeyPath, keystr, tree_flatten, tree_flatten_with_path
from .._tree.predicates import IsLeaf

_PyTree: TypeAlias = Any

Renames: TypeAlias = Mapping[str, Callable[[Any], Any]]


class _OpaqueLeaf:
    """Stands for a leaf of the tree; equal only to itself."""


def stored_names(renames: Renames | None, like: _PyTree, is_leaf: IsLeaf) -> Callable[[KeyPath], str]:
    """Return the function from the key path of a leaf of `like` to its name in the file.

    **Arguments**

    - `renames`: for each old name of a node, as text, where this node is in `like`.
    - `like`, `is_leaf`: the tree, and which of its nodes are leaves.

    **Raises**

    - `TypeError`: if a function of `renames` returns something else than a node of `like`.
    - `ValueError`: if two of them return the same node.
    """
    if not renames:
        return keystr
    leaves, structure = tree_flatten(like, is_leaf)
    # Leaves may be one object at several places; identity tells these apart.
    opaque = structure.unflatten([_OpaqueLeaf() for _ in leaves])
    old_names: dict[KeyPath, str] = {}
    for old_name, where in renames.items():
        path = _path_to(where(opaque), opaque, old_name)
        if path in old_names:
            raise ValueError(f"argument `renames`: {old_names[path]!r} and {old_name!r} are both at `{keystr(path)}`.")
        old_names[path] = old_name

    def stored_name(path: KeyPath) -> str:
        for length in range(len(path), -1, -1):
            if path[:length] in old_names:
                return old_names[path[:length]] + keystr(path[length:])
        return keystr(path)

    return stored_name


def _path_to(node: Any, tree: _PyTree, old_name: str) -> KeyPath:
    nodes, _ = tree_flatten_with_path(tree, lambda x: x is node)
    paths = [path for path, x in nodes if x is node]
    if len(paths) != 1:
        raise TypeError(
            f"argument `renames`: the function for {old_name!r} returned {describe(node)}; it must return a node or "
            "leaf of `like`, and not depend on the values of leaves."
        )
    return paths[0]
