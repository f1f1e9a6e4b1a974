"""The leaves of a PyTree under dotted names, such as `layers.0.weight`, as other libraries name parameters."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

import jax

from .._errors import locate
from .._jax_tree import KeyPath, keystr, tree_leaves_with_path
from .._tree.predicates import is_none
from .leaf_specs import LeafSpec, leaf_specs
from .leaves import is_stored
from .loading import make_leaf
from .report import LoadReport
from .shardings import with_shardings

_T = TypeVar("_T")
_PyTree: TypeAlias = Any

Names: TypeAlias = Callable[[str], str] | None
"""What a leaf is called elsewhere: a function of its own dotted name, or `None` if it is called the same."""


def dotted(path: KeyPath) -> str:
    """Write a key path with dots: attributes, keys of dictionaries and positions all alike."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def name_leaves(pytree: _PyTree, names: Names, *, argument: str) -> dict[str, tuple[KeyPath, Any]]:
    """Return the leaves that are stored, with their key paths, by name.

    **Raises**

    - `ValueError`: if two of them have the same name.
    """
    found: dict[str, tuple[KeyPath, Any]] = {}
    for path, leaf in tree_leaves_with_path(pytree):
        if is_stored(leaf):
            name = dotted(path) if names is None else names(dotted(path))
            if name in found:
                raise ValueError(
                    f"{locate(argument, path)}: its name would be {name!r}, which is that of "
                    f"`{keystr(found[name][0])}` already. Pass a function `names` that tells them apart."
                )
            found[name] = path, leaf
    return found


def load_named(
    like: _T,
    available: Iterable[str],
    read: Callable[[str, Any], Any],
    *,
    strict: bool,
    names: Names,
    shardings: _PyTree,
) -> tuple[_T, LoadReport]:
    """Load those leaves of a tree that there are under their names.

    **Arguments**

    - `like`: the tree, whose leaves say what to load.
    - `available`: the names that there are.
    - `read`: a function from a name and a leaf of `like` to the new leaf.
    - `strict`: whether all names and leaves must match.
    - `names`, `shardings`: see `load_safetensors`.
    """
    name_of = {path: name for name, (path, _) in name_leaves(like, names, argument="like").items()}
    expected = dict.fromkeys(name_of.values())
    present = dict.fromkeys(available)
    report = LoadReport(
        matched=tuple(name for name in expected if name in present),
        missing=tuple(name for name in expected if name not in present),
        unexpected=tuple(name for name in present if name not in expected),
    )
    if strict and (report.missing or report.unexpected):
        raise RuntimeError(
            f"argument `like`: its leaves are not those that there are. Missing: {_listed(report.missing)}. Not in "
            f"`like`: {_listed(report.unexpected)}. `names` says what leaves are called elsewhere, and `strict=False` "
            "loads what there is."
        )
    # Nothing is said about any leaf: what is wanted are the key paths.
    leaves, rebuild = leaf_specs(None, like, None, argument="like", tree_argument="like", is_prefix_leaf=is_none)

    def load(leaf: LeafSpec) -> Any:
        name = name_of.get(leaf.path)
        if name is None or name not in present:
            return leaf.leaf
        return make_leaf(leaf, lambda target: read(name, target))

    return rebuild(map(load, with_shardings(leaves, shardings, like, None))), report


def _listed(names: tuple[str, ...]) -> str:
    shown = [repr(name) for name in names[:8]]
    return ", ".join(shown if len(names) <= 8 else [*shown, f"and {len(names) - 8} more"]) or "none"
