"""How error messages name a node of a PyTree, and the place where it is."""

from typing import Any, TypeAlias

from .._errors import describe
from .._jax_tree import KeyPath, keystr
from .one_level import flatten_one_level_with_path, is_tree_leaf

_PyTree: TypeAlias = Any


def describe_node(node: _PyTree) -> str:
    """Say what a node or leaf of a PyTree is: its type and its children's keys.

    **Example**
    ```python
    >>> describe_node({"a": 1, "b": [2, 3]})
    "a `dict` with the children `['a'], ['b']`"

    ```
    """
    if node is None:
        return "`None`"
    if is_tree_leaf(node):
        return describe(node)
    children, _ = flatten_one_level_with_path(node)
    keys = [keystr(path) for path, _ in children]
    shown = ", ".join(keys if len(keys) <= 8 else [*keys[:7], "...", keys[-1]])
    return f"a `{type(node).__qualname__}` " + (f"with the children `{shown}`" if keys else "without children")


def note_static_data(node: _PyTree, other: _PyTree) -> str:
    """What to add to the descriptions of two nodes that differ, if the descriptions do not."""
    return ", with different static data" if describe_node(node) == describe_node(other) else ""


def describe_place(path: KeyPath) -> str:
    """Write a key path as it stands in a message: `.layers[0]`, in backticks, or "the root" if it is empty."""
    return f"`{keystr(path)}`" if path else "the root"
