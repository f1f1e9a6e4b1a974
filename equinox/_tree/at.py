"""Replace chosen nodes of a PyTree, out of place: `tree_at`.

A function says which nodes, by navigating to them. It is called on two copies of the tree: one with the leaves
themselves, and one in which every leaf is an opaque object of its own. In the second one identity tells all places
apart, even where the tree itself holds one object many times. That both calls arrive at the same places shows that the
choice depends on the structure alone.
"""

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast, overload

from .._errors import describe
from .._jax_tree import KeyPath, PyTreeDef, keystr, tree_flatten, tree_flatten_with_path
from .._sentinel import Sentinel, sentinel
from .describe import describe_node, describe_place
from .one_level import flatten_one_level_with_path, is_tree_leaf
from .predicates import IsLeaf

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


@overload
def tree_at(where: Callable[[_T], Any], pytree: _T, replace: Any, *, is_leaf: IsLeaf = None) -> _T: ...
@overload
def tree_at(
    where: Callable[[_T], Any], pytree: _T, *, replace_fn: Callable[[Any], Any], is_leaf: IsLeaf = None
) -> _T: ...
def tree_at(
    where: Callable[[_T], Any],
    pytree: _T,
    replace: Any = sentinel,
    replace_fn: Callable[[Any], Any] | Sentinel = sentinel,
    is_leaf: IsLeaf = None,
) -> _T:
    """Replace one or several nodes of a PyTree, out of place.

    **Arguments**

    - `where`: a function from a tree like `pytree` to one of its nodes (a leaf, a container, the whole tree), or to a
        tuple or list of nodes. It may navigate as it likes, but must not look at leaves; it is called more than once.
    - `pytree`: the PyTree.
    - `replace`: what to put in place of the node, or a sequence of as many values as there are nodes. A replacement may
        be anything; no constructor, converter or check runs.
    - `replace_fn`: instead of `replace`: a function from each node to its replacement.
    - `is_leaf`: which nodes of `pytree` to treat as leaves. With `lambda x: x is None`, any `None` can be replaced.

    **Returns**

    A PyTree with new containers, the replacements, and the same leaves everywhere else.

    **Raises**

    - `ValueError`: if not exactly one of `replace` and `replace_fn` is given; if the number of replacements is wrong;
        if `where` returns other containers than tuples and lists of nodes, selects a node inside another one, selects
        one of several `None`s, or depends on the leaves.
    - `TypeError`: if `where` returns something that is not in the tree, such as a static field; if it selects several
        nodes and `replace` is not a sequence.
    - `TypeError`, `AttributeError`: if `where` fails because it looks at leaves.

    **Example**
    ```python
    >>> tree = {"weight": jnp.ones(2), "layers": (1, 2)}
    >>> eqx.tree_at(lambda t: t["layers"][0], tree, "new")
    {'layers': ('new', 2), 'weight': Array([1., 1.], dtype=float32)}
    >>> eqx.tree_at(lambda t: t["layers"], tree, replace_fn=sum)
    {'layers': 3, 'weight': Array([1., 1.], dtype=float32)}

    ```
    """
    if (replace is sentinel) == (replace_fn is sentinel):
        raise ValueError("arguments `replace` and `replace_fn`: exactly one of the two must be given.")
    nodes, treedef, places, is_sequence = _select(where, pytree, is_leaf)
    if not isinstance(replace_fn, Sentinel):
        values = {place: replace_fn(nodes[place]) for place in dict.fromkeys(places)}
    elif is_sequence:
        values = dict(zip(places, _as_sequence(replace, len(places)), strict=True))
    else:
        values = {places[0]: replace}
    for place, value in values.items():
        nodes[place] = value
    new_tree: _T = treedef.unflatten(nodes)
    return new_tree


class _Selection(NamedTuple):
    """A PyTree flattened so that the selected nodes are leaves, and where in that list they are."""

    nodes: list[Any]
    treedef: PyTreeDef
    places: list[int]
    is_sequence: bool


class _OpaqueLeaf:
    """Stands for a leaf of the tree; equal only to itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<a leaf>"


class _OpaqueEmptyTuple(tuple[()]):
    """Stands for an empty tuple, of which Python has only one."""

    __slots__ = ()


def _select(where: Callable[[Any], Any], pytree: _PyTree, is_leaf: IsLeaf) -> _Selection:
    leaves, structure = tree_flatten(pytree, is_leaf)
    real = structure.unflatten(leaves)
    opaque = structure.unflatten([_OpaqueEmptyTuple() if _is_empty_tuple(x) else _OpaqueLeaf() for x in leaves])
    real_found = where(real)
    try:
        found = where(opaque)
    except Exception as error:
        raise _looks_at_leaves(error) from error

    # A tuple or list is a sequence of nodes unless it is a node itself; flattening then stops above its elements.
    elements = _elements(found)
    ids = {id(found), *map(id, elements or ())}
    parts, treedef = tree_flatten(opaque, lambda node: id(node) in ids)
    places: dict[int, list[int]] = {}
    for place, part in enumerate(parts):
        if id(part) in ids:
            places.setdefault(id(part), []).append(place)
    is_sequence = elements is not None and id(found) not in places
    selected = elements if elements is not None and is_sequence else [found]

    for node in selected:
        if id(node) not in places:
            raise _not_in_tree(found, node, selected, opaque)
        if node is None and len(places[id(node)]) > 1:
            raise ValueError(
                "argument `where`: it selects a `None`, and `pytree` has several, which cannot be told apart. Pass "
                "`is_leaf=lambda x: x is None`."
            )
        if _is_empty_tuple(node) or len(places[id(node)]) > 1:
            # One object in all copies and places, so identity says nothing; as a leaf it gets a stand-in at each place.
            return _select(where, pytree, _or_same_object(is_leaf, node))

    nodes = treedef.flatten_up_to(real)
    chosen = [places[id(node)][0] for node in selected]
    real_selected = _elements(real_found) if is_sequence else [real_found]
    if real_selected is None or not _same_objects(real_selected, [nodes[place] for place in chosen]):
        raise ValueError(
            "argument `where`: where must not look at leaves, only at the structure; but when the leaves are replaced "
            f"by opaque objects, it selects other nodes of `pytree`: {_show_nodes(opaque, selected)}."
        )
    return _Selection(nodes, treedef, chosen, is_sequence)


def _elements(found: Any) -> list[Any] | None:
    return list(cast(Sequence[Any], found)) if isinstance(found, (tuple, list)) else None


def _is_empty_tuple(node: Any) -> bool:
    return type(node) is tuple and not node


def _or_same_object(is_leaf: IsLeaf, node: object) -> Callable[[Any], bool]:
    return lambda x: x is node or (is_leaf is not None and is_leaf(x))


def _same_objects(first: Sequence[Any], second: Sequence[Any]) -> bool:
    return len(first) == len(second) and all(map(operator.is_, first, second))


def _as_sequence(replace: Any, length: int) -> list[Any]:
    try:
        found = len(replace)
    except TypeError as error:
        raise TypeError(
            f"argument `replace`: found {describe(replace)}; expected a sequence of {length} replacements, because "
            f"`where` returns a sequence of {length} nodes."
        ) from error
    if found != length:
        raise ValueError(
            f"argument `replace`: found a sequence of length {found}; expected {length} replacements, because `where` "
            f"returns a sequence of {length} nodes."
        )
    return list(replace)


def _looks_at_leaves(error: Exception) -> Exception:
    kind = next((kind for kind in (TypeError, AttributeError) if isinstance(error, kind)), ValueError)
    return kind(
        "argument `where`: where must not look at leaves, only at the structure; but when the leaves are replaced by "
        f"opaque objects, it raises {type(error).__name__}: {error}"
    )


def _not_in_tree(found: Any, node: Any, selected: Sequence[Any], tree: _PyTree) -> Exception:
    """Say why something that `where` selected is not in the tree."""
    for outer in selected:
        inner = _path_to(outer, node)
        if inner:
            path = _path_to(tree, outer) or ()
            return ValueError(
                f"argument `where`: it selects both {describe_place(path)} and, inside of it, "
                f"{describe_place(path + inner)}. Replace only the outer one, or call `tree_at` twice."
            )
    for value in (found, node):
        place = _static_field(tree, value)
        if place is not None:
            return TypeError(
                f"argument `where`: it selects {describe(value)}, the value of the static field {place}. Static fields "
                "are part of the structure of a PyTree, not nodes in it; `dataclasses.replace` changes them."
            )
    kind = TypeError if node is None or is_tree_leaf(node) else ValueError
    inside = "" if node is found else f", in which {describe_node(node)} is not a node of `pytree`"
    return kind(
        f"argument `where`: it returned {describe_node(found)}{inside}. It must return a node of `pytree` (a leaf, a "
        "container, the whole tree), or a tuple or list of such nodes, and cannot return static data, constants or new "
        "objects."
    )


def _path_to(tree: _PyTree, node: Any) -> KeyPath | None:
    nodes, _ = tree_flatten_with_path(tree, lambda x: x is node)
    return next((path for path, x in nodes if x is node), None)


def _show_nodes(tree: _PyTree, nodes: Sequence[Any]) -> str:
    return ", ".join(describe_place(_path_to(tree, node) or ()) for node in nodes) or "nothing"


def _static_field(node: _PyTree, value: Any, path: KeyPath = ()) -> str | None:
    """Find a dataclass among the nodes that has the value in a field which is not one of its children."""
    if is_tree_leaf(node):
        return None
    children, _ = flatten_one_level_with_path(node)
    if dataclasses.is_dataclass(node) and all(child is not value for _, child in children):
        for field in dataclasses.fields(node):
            if getattr(node, field.name, sentinel) is value:
                return f"`{keystr(path)}.{field.name}` of `{type(node).__qualname__}`"
    places = (_static_field(child, value, path + key) for key, child in children)
    return next((place for place in places if place is not None), None)
