"""Go through the leaves of a PyTree, each with what a prefix of the tree says about it.

The order of the leaves, depth first and from left to right, is the order of the records in a file.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar

from jax.sharding import Sharding

from .._errors import describe, locate
from .._jax_tree import KeyPath, PyTreeDef, tree_flatten_with_path, tree_leaves_with_path
from .._tree.predicates import IsLeaf
from .._tree.prefix import flatten_up_to

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


class LeafSpec(NamedTuple):
    """A leaf, the key path of its place, what the prefix has there, and where to put it when it is loaded."""

    path: KeyPath
    spec: Any
    leaf: Any
    sharding: Sharding | None = None


def leaf_specs(
    prefix: _PyTree,
    tree: _T,
    is_leaf: IsLeaf,
    *,
    argument: str,
    tree_argument: str,
    is_prefix_leaf: IsLeaf = None,
) -> tuple[list[LeafSpec], Callable[[Iterable[Any]], _T]]:
    """Spread a prefix over the leaves of a tree.

    **Returns**

    The leaves, and a function that makes a tree like `tree` from as many new ones.

    **Raises**

    - `ValueError`: if it is not a prefix of the tree.
    """
    _, subtrees, treedef = flatten_up_to(
        prefix, tree, argument=argument, tree_argument=tree_argument, is_leaf=is_prefix_leaf
    )
    found: list[LeafSpec] = []
    structures: list[PyTreeDef] = []
    for (path, spec), subtree in zip(tree_leaves_with_path(prefix, is_prefix_leaf), subtrees, strict=True):
        leaves, structure = tree_flatten_with_path(subtree, is_leaf)
        found.extend(LeafSpec(path + rest, spec, leaf) for rest, leaf in leaves)
        structures.append(structure)

    def rebuild(leaves: Iterable[Any]) -> _T:
        remaining = iter(leaves)
        rebuilt: _T = treedef.unflatten([each.unflatten(islice(remaining, each.num_leaves)) for each in structures])
        return rebuilt

    return found, rebuild


def check_functions(filter_spec: _PyTree) -> None:
    """Check that every leaf of a `filter_spec` is a function, or raise a `TypeError` that names the one that is not."""
    for path, spec in tree_leaves_with_path(filter_spec):
        if not callable(spec):
            raise TypeError(
                f"{locate('filter_spec', path)}: found {describe(spec)}; expected a function of a file and a leaf, "
                "such as `default_serialise_filter_spec`."
            )
