"""How leaves that are not arrays get through JAX: they travel inside the treedef.

JAX transformations return arrays. A function that returns a whole model also returns activation functions, flags and
names. `conceal` replaces each such leaf by a PyTree node without children that holds the leaf as its static part. JAX
then sees arrays only, keeps the treedef, and when it puts the output together again, the node is "unflattened" to the
very object that was put in. So outputs need no second pass, and belong to the trace that made them.
"""

from collections.abc import Callable, Iterable
from typing import Any, final

import jax.tree_util as jtu
import numpy as np

from .._jax_tree import tree_flatten


@final
class _Concealed:
    """A node without children, which unflattens to the leaf that it hides."""

    __slots__ = ("_leaf", "_reference")

    def __init__(self, leaf: Any, reference: Callable[[], Any] | None) -> None:
        self._leaf = None if reference else leaf
        self._reference = reference

    @property
    def leaf(self) -> Any:
        return self._reference() if self._reference else self._leaf

    def __eq__(self, other: object) -> bool:
        return type(other) is _Concealed and static_key(self.leaf) == static_key(other.leaf)

    def __hash__(self) -> int:
        return hash(_type(self.leaf))  # leaves need not be hashable to get out


def _unflatten(node: _Concealed, _: Iterable[Any]) -> Any:
    return node.leaf


jtu.register_pytree_node(_Concealed, lambda node: ((), node), _unflatten)


def _type(leaf: object) -> type:
    return type(leaf)


def conceal(tree: Any, is_visible: Callable[[Any], bool], weak: Callable[[], Any] | None = None) -> Any:
    """Hide every leaf for which `is_visible` is false in the structure of the tree.

    If `weak` is a weak reference, its object is not kept alive by that.
    """
    leaves, treedef = tree_flatten(tree)
    mask = [is_visible(leaf) for leaf in leaves]
    if all(mask):
        return tree
    anchor = weak and weak()
    return treedef.unflatten(
        leaf if visible else _Concealed(leaf, weak if leaf is anchor else None)
        for leaf, visible in zip(leaves, mask, strict=True)
    )


def static_key(leaf: Any) -> Any:
    """What two static leaves have in common exactly if the same compiled program is right for both.

    Equality is not enough: `1 == 1.0 == True` and `0.0 == -0.0`. Nor is it necessary: `nan != nan`.
    """
    kind = _type(leaf)
    if kind is float:
        return kind, leaf.hex()
    if kind is complex:
        return kind, leaf.real.hex(), leaf.imag.hex()
    if isinstance(leaf, np.generic):
        return kind, leaf.dtype.str, leaf.tobytes()  # the dtype, because it has the unit of a time
    if kind is tuple:
        return kind, *map(static_key, leaf)
    return kind, leaf
