"""What a compiled function remembers of its arguments: the tree, with holes where the dynamic leaves were."""

import contextlib
import operator
from collections.abc import Sequence
from typing import Any

from .._jax_tree import tree_flatten
from .cache import ANCHOR, weak_reference
from .difference import ArrayType, StaticLeaf


class StaticArgument:
    """An argument that is static as a whole, in the place where its leaves would be."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Template:
    """A tree with holes where its dynamic leaves were."""

    def __init__(self, treedef: Any, leaves: list[Any], mask: list[bool], anchor: Any) -> None:
        self.treedef = treedef
        self.hole_count = sum(mask)
        # Nothing dynamic is kept, and the anchor is not kept alive: see `cache.py`.
        self._leaves = [
            None if is_dynamic else ANCHOR if leaf is anchor and anchor is not None else leaf
            for leaf, is_dynamic in zip(leaves, mask, strict=True)
        ]
        self._holes = [i for i, is_dynamic in enumerate(mask) if is_dynamic]
        self._anchor = None if anchor is None else weak_reference(anchor)

    def _given(self) -> list[Any]:
        """The leaves as they were given; nothing in particular in place of the dynamic ones."""
        leaves: list[Any] = [leaf.value if type(leaf) is StaticArgument else leaf for leaf in self._leaves]
        if self._anchor is None:
            return leaves
        anchor = self._anchor()
        return [anchor if leaf is ANCHOR else leaf for leaf in leaves]

    def fill(self, dynamic: Sequence[Any]) -> Any:
        """Put the tree together around new dynamic leaves."""
        leaves = self._given()
        for hole, leaf in zip(self._holes, dynamic, strict=True):
            leaves[hole] = leaf
        return self.treedef.unflatten(leaves)

    def show(self, dynamic: Sequence[ArrayType]) -> Any:
        """The tree with a description in place of each leaf; a static argument is one leaf."""
        leaves: list[Any] = [StaticLeaf(leaf) for leaf in self._given()]
        for hole, leaf in zip(self._holes, dynamic, strict=True):
            leaves[hole] = leaf
        with contextlib.suppress(Exception):  # a node of the user's may refuse to hold just anything
            tree = self.treedef.unflatten(leaves)
            if all(map(operator.is_, tree_flatten(tree)[0], leaves)):
                return tree
        return leaves
