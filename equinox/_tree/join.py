"""Join two PyTrees of one structure: at each place, take the leaf of the first, or of the second if that is `None`.

Joining by way of the leaves takes two flattenings and one unflattening. Types that say how two of their own nodes are
joined (`joiners`) are walked down side by side instead, in less than half of that time.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

from .._jax_tree import tree_flatten
from .predicates import JAX_ARRAY_TYPES, is_none

_PyTree: TypeAlias = Any


class StructureMismatchError(Exception):
    """Two PyTrees are not of one structure. Where and how is for the caller to find out, who knows their names."""


def join(first: _PyTree, second: _PyTree) -> _PyTree:
    """Join two PyTrees, or raise `StructureMismatchError`."""
    if first is None:
        return second
    if second is None or type(first) in JAX_ARRAY_TYPES:
        return first
    joiner = joiners.get(type(cast(object, first)))
    return join_leaves(first, second, is_none) if joiner is None else joiner(first, second)


def join_leaves(first: _PyTree, second: _PyTree, is_leaf: Callable[[Any], bool]) -> _PyTree:
    """Join two PyTrees of any types by way of their leaves, or raise `StructureMismatchError`."""
    leaves, treedef = tree_flatten(first, is_leaf)
    try:
        others = treedef.flatten_up_to(second)
    except ValueError as error:
        raise StructureMismatchError from error
    return treedef.unflatten([b if a is None else a for a, b in zip(leaves, others, strict=True)])


def _join_tuples(first: tuple[Any, ...], second: _PyTree) -> tuple[Any, ...]:
    return tuple(_join_lists(first, second))


def _join_lists(first: list[Any] | tuple[Any, ...], second: _PyTree) -> list[Any]:
    if type(second) is not type(first) or len(second) != len(first):
        raise StructureMismatchError
    return [join(a, b) for a, b in zip(first, second, strict=True)]


#: From a type of nodes to the function that joins a node of that type with anything.
joiners: Final[dict[type, Callable[[Any, Any], Any]]] = {tuple: _join_tuples, list: _join_lists}
