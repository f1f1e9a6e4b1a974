"""JAX's PyTree functions, with the types that JAX itself leaves unknown to static checkers.

At run time every name here is the object of the same name in `jax.tree_util`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol, TypeAlias

    KeyPath: TypeAlias = tuple[Any, ...]

    class PyTreeDef(Protocol):
        """The structure of a PyTree."""

        @property
        def num_leaves(self) -> int: ...
        def unflatten(self, leaves: Iterable[Any], /) -> Any: ...
        def flatten_up_to(self, tree: Any, /) -> list[Any]: ...
        def __hash__(self) -> int: ...

    def all_leaves(iterable: Iterable[Any], is_leaf: Callable[[Any], bool] | None = None) -> bool: ...
    def keystr(keys: KeyPath) -> str: ...
    def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], PyTreeDef]: ...
    def tree_flatten_with_path(
        tree: Any, is_leaf: Callable[[Any], bool] | None = None
    ) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]: ...
    def tree_leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[KeyPath, Any]]: ...
    def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> PyTreeDef: ...
    def treedef_is_leaf(treedef: PyTreeDef) -> bool: ...

else:
    from jax.tree_util import (
        KeyPath,
        PyTreeDef,
        all_leaves,
        keystr,
        tree_flatten,
        tree_flatten_with_path,
        tree_leaves_with_path,
        tree_structure,
        treedef_is_leaf,
    )

__all__ = [
    "KeyPath",
    "PyTreeDef",
    "all_leaves",
    "keystr",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves_with_path",
    "tree_structure",
    "treedef_is_leaf",
]
