"""How leaves that are not arrays get through JAX: they travel inside the treedef.

JAX transformations return arrays. A function that returns a whole model also returns activation functions, flags and
names. `conceal` puts the arrays of a tree into a `Concealed`, a PyTree node whose children are those arrays and whose
static part is the rest, as a treedef in which a node without children holds each leaf that is no array. JAX sees arrays
only and keeps the treedef; `reveal` puts the tree together again, with the very objects that were put in. So what is no
array needs no look-up, and belongs to the trace that made it.
"""

from collections.abc import Callable, Iterable
from typing import Any, final

import jax.tree_util as jtu
import numpy as np

from .._jax_tree import PyTreeDef, tree_flatten


@final
class _Leaf:
    """A node without children, which unflattens to the leaf that it hides."""

    __slots__ = ("_leaf", "_reference")

    def __init__(self, leaf: Any, reference: Callable[[], Any] | None) -> None:
        self._leaf = None if reference else leaf
        self._reference = reference

    @property
    def leaf(self) -> Any:
        return self._reference() if self._reference else self._leaf

    def __eq__(self, other: object) -> bool:
        return type(other) is _Leaf and is_same_static(self.leaf, other.leaf)

    def __hash__(self) -> int:
        return hash(_type(self.leaf))  # leaves need not be hashable to get out


def _unflatten(node: _Leaf, _: Iterable[Any]) -> Any:
    return node.leaf


jtu.register_pytree_node(_Leaf, lambda node: ((), node), _unflatten)


@final
class Concealed:
    """The arrays of a tree, as children, and the rest of it."""

    __slots__ = ("arrays", "treedef")

    def __init__(self, arrays: Iterable[Any], treedef: PyTreeDef) -> None:
        self.arrays = arrays
        self.treedef = treedef

    def reveal(self) -> Any:
        """Put the tree together again."""
        return self.treedef.unflatten(self.arrays)


jtu.register_pytree_node(
    Concealed, lambda node: (node.arrays, node.treedef), lambda treedef, arrays: Concealed(arrays, treedef)
)


def reveal(tree: Any) -> Any:
    """Undo `conceal`."""
    return tree.reveal() if type(tree) is Concealed else tree


def _type(leaf: object) -> type:
    return type(leaf)


def conceal(
    tree: Any, is_visible: Callable[[Any], bool], weak: Callable[[], Any] | None = None, *, in_place: bool = False
) -> Any:
    """Hide every leaf for which `is_visible` is false. A tree without such leaves is returned as it is.

    If `weak` is a weak reference, its object is not kept alive by that. With `in_place`, the tree keeps its structure:
    it becomes itself again as soon as it is unflattened, but JAX takes longer to return such a tree.
    """
    leaves, treedef = tree_flatten(tree)
    mask = [is_visible(leaf) for leaf in leaves]
    if all(mask):
        return tree
    anchor = weak and weak()
    hidden = treedef.unflatten(
        leaf if visible else _Leaf(leaf, weak if leaf is anchor else None)
        for leaf, visible in zip(leaves, mask, strict=True)
    )
    return hidden if in_place else Concealed(*tree_flatten(hidden))


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


def is_same_static(first: Any, second: Any) -> bool:
    """Whether one compiled program is right for both of two static leaves."""
    if first is second:
        return True
    try:
        return bool(static_key(first) == static_key(second))
    except Exception:  # noqa: BLE001 # leaves need not be comparable to get out: an array is not
        return False
