"""The choice of leaves: a function of one leaf, or a tree of booleans, says which leaves a transformation acts on."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .._errors import describe, locate
from .._jax_tree import keystr, tree_flatten_with_path, tree_structure
from .arguments import locate_leaves


class Selection(Protocol):
    """Which leaves a transformation acts on."""

    def mask(self, leaves: list[Any], names: Callable[[], Sequence[str]], trees: Sequence[Any]) -> list[bool]:
        """Answer for each leaf.

        **Arguments**

        - `leaves`: the leaves of all the trees.
        - `names`: computes the names of the arguments that the trees are; called only for messages.
        - `trees`: the trees.
        """
        ...


@dataclasses.dataclass(frozen=True)
class ByFunction:
    """Selects the leaves for which a function says `True`."""

    function: Callable[[Any], bool]

    def mask(self, leaves: list[Any], names: Callable[[], Sequence[str]], trees: Sequence[Any]) -> list[bool]:
        mask: list[Any] = [self.function(leaf) for leaf in leaves]
        for i, answer in enumerate(mask):
            if answer is not True and answer is not False:
                if not isinstance(answer, np.bool_):
                    raise TypeError(
                        f"`filter_fn` must return a bool for each leaf. For {locate_leaves(names(), trees)[i]}, "
                        f"{describe(leaves[i])}, it returned {describe(answer)}."
                    )
                mask[i] = answer.item()
        return mask


@dataclasses.dataclass(frozen=True, eq=False)
class ByTree:
    """Selects the leaves that are `True` in a tree of booleans with the structure of the arguments."""

    tree: Any
    #: Whether the tree for a single argument must be given inside a tuple.
    in_tuple: bool | None = None

    def mask(self, leaves: list[Any], names: Callable[[], Sequence[str]], trees: Sequence[Any]) -> list[bool]:
        selected: Any
        if self.in_tuple is False:
            selected = (self.tree,)
        elif self.in_tuple is None and len(trees) == 1:
            fits = tree_structure(self.tree) == tree_structure(trees[0])
            is_wrapped = not fits and type(self.tree) in (tuple, list) and len(self.tree) == 1
            selected = self.tree if is_wrapped else (self.tree,)
        else:
            selected = self.tree
        if type(selected) not in (tuple, list) or len(selected) != len(trees):
            raise ValueError(
                f"`filter_tree` must be a tuple of {len(trees)} trees, one for each of the arguments "
                f"{', '.join(f'`{name}`' for name in names())}. Found {describe(selected)}."
            )
        mask: list[bool] = []
        for i, (flags, tree) in enumerate(zip(selected, trees, strict=True)):
            flag_paths, flag_treedef = tree_flatten_with_path(flags)
            if flag_treedef != tree_structure(tree):
                raise ValueError(_difference(names()[i], flags, tree))
            for path, flag in flag_paths:
                if type(flag) not in (bool, np.bool_):
                    raise ValueError(
                        f"Every leaf of `filter_tree` must be `True` or `False`. For {locate(names()[i], path)} it is "
                        f"{describe(flag)}."
                    )
                mask.append(bool(flag))
        return mask


def make_selection(
    transformation: str,
    filter_fn: Callable[[Any], bool] | None,
    filter_tree: Any,
    in_tuple: bool | None = None,
) -> ByFunction | ByTree:
    """Make a selection from the pair of arguments of which precisely one must be given."""
    if (filter_fn is None) == (filter_tree is None):
        found = "neither was" if filter_fn is None else "both were"
        raise ValueError(
            f"`{transformation}` needs precisely one of `filter_fn` and `filter_tree`, but {found} given. Pass "
            "`filter_fn`, a function of one leaf such as `is_array_like`, or `filter_tree`, a tree of booleans with "
            "the structure of the arguments."
        )
    if filter_fn is None:
        return ByTree(filter_tree, in_tuple)
    if not callable(filter_fn):
        raise TypeError(f"`filter_fn` of `{transformation}` must be callable. Found {describe(filter_fn)}.")
    return ByFunction(filter_fn)


def _difference(name: str, flags: Any, tree: Any) -> str:
    """Describe the first place at which a tree of flags has another structure than the argument it is for."""
    expected = [path for path, _ in tree_flatten_with_path(tree)[0]]
    found = [path for path, _ in tree_flatten_with_path(flags)[0]]
    start = f"`filter_tree` must have the structure of the arguments, but for argument `{name}` it has another one: "
    advice = " Make it from the argument itself, with `jax.tree.map(lambda _: False, argument)` and `tree_at`."
    for path in expected:
        if path not in found:
            return f"{start}it has nothing at key path `{keystr(path)}`, where the argument has a leaf.{advice}"
    for path in found:
        if path not in expected:
            return f"{start}it has a leaf at key path `{keystr(path)}`, where the argument has none.{advice}"
    return (
        f"{start}the leaves are the same, but nodes differ in type or static part: it is {tree_structure(flags)}, "
        f"the argument is {tree_structure(tree)}.{advice}"
    )
