"""Take the leaves that JAX is to see out of a tree, and put others in their place."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

from .._errors import describe
from .._jax_tree import PyTreeDef, tree_flatten
from .arguments import name_of


@dataclasses.dataclass(frozen=True)
class Places:
    """Where in a tree its selected leaves are, and where the others."""

    treedef: PyTreeDef
    mask: tuple[bool, ...]

    def separate(self, leaves: Iterable[Any]) -> tuple[list[Any], list[Any]]:
        """Sort leaves into the selected ones and the others."""
        selected: list[Any] = []
        rest: list[Any] = []
        for leaf, is_selected in zip(leaves, self.mask, strict=True):
            (selected if is_selected else rest).append(leaf)
        return selected, rest

    def join(self, selected: Iterable[Any], rest: Iterable[Any]) -> Any:
        """Make the tree with these leaves at the selected places and at the others."""
        selected, rest = iter(selected), iter(rest)
        return self.treedef.unflatten([next(selected if is_selected else rest) for is_selected in self.mask])

    def outline(self, selected: Iterable[Any], *, elsewhere: Any = None) -> Any:
        """Make the tree with these leaves at the selected places and one value at all others."""
        return self.join(selected, itertools.repeat(elsewhere))


@dataclasses.dataclass(frozen=True, eq=False)
class Remainder:
    """What is left of a tree without its selected leaves: what a function may refer to that outlives its trace."""

    places: Places
    leaves: list[Any]

    def join(self, selected: Iterable[Any]) -> Any:
        """Make the tree with these leaves at the selected places."""
        return self.places.join(selected, self.leaves)


def split(tree: Any, is_selected: Callable[[Any], bool]) -> tuple[list[Any], Remainder]:
    """Take the leaves out of a tree for which a function says `True`."""
    leaves, treedef = tree_flatten(tree)
    places = Places(treedef, tuple(map(is_selected, leaves)))
    selected, rest = places.separate(leaves)
    return selected, Remainder(places, rest)


def split_aux(function: Callable[..., Any], output: Any) -> tuple[Any, Any]:
    """Take apart what a function with `has_aux=True` returned."""
    return as_pair(output, f"With `has_aux=True`, `{name_of(function)}`", "(value, aux)")


def as_pair(output: Any, function: str, parts: str) -> tuple[Any, Any]:
    """Take apart what a function returned, which is to be a pair of these parts."""
    pair: Any = tuple
    if not isinstance(output, pair) or len(output) != 2:
        raise TypeError(f"{function} must return a pair `{parts}`. Found {describe(output)}.")
    first, second = output
    return first, second
