"""What control flow hands from step to step, or gets from a branch, with leaves that are not arrays.

JAX carries the arrays. Everything else stays outside, and must therefore be the same in every step and in every branch.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import jax
import jax.numpy as jnp

from .._jax_tree import KeyPath, keystr, tree_flatten, tree_flatten_with_path
from .._tree.partition import combine
from .._tree.predicates import is_array, is_array_like
from .difference import (
    ArrayType,
    Difference,
    DifferenceKind,
    StaticLeaf,
    array_type,
    leaf_difference,
    structure_difference,
)

_PyTree: TypeAlias = Any

_CHANGES: Final = (
    "Only arrays can change from step to step: leave it as it is, or start from `jnp.asarray(...)` if it is a number."
)
_REMADE: Final = "Make the function once, outside, instead of anew each time."

#: What to do about a carry that changes.
_FOR_CARRIES: Final[dict[DifferenceKind, str]] = {
    "structure": "Return a tree of the structure that was given; `tree_at` replaces leaves and keeps it.",
    "static": _CHANGES,
    "kind": _CHANGES,
    "function": _REMADE,
    "shape": "Start from an array of the shape that is needed in the end, such as a buffer that is filled bit by bit.",
    "dtype": "Convert one of the two with `.astype`.",
}

_VARIES: Final = "Only arrays can depend on the branch: return `jnp.asarray(...)` if it is a number."

#: What to do about outputs of branches that differ.
_FOR_BRANCHES: Final[dict[DifferenceKind, str]] = {
    "structure": "Return trees of one structure.",
    "static": _VARIES,
    "kind": _VARIES,
    "function": _REMADE,
    "shape": "Return arrays of one shape, such as that to which both can be broadcast.",
    "dtype": "Convert one of the two with `.astype`.",
}


def next_carry(transformation: str, function: str, arrays: _PyTree, static: _PyTree, output: _PyTree) -> _PyTree:
    """The arrays of what a step returned as the next carry.

    **Arguments**

    - `transformation`, `function`: what the user calls the loop, and its argument that makes the step.
    - `arrays`, `static`: the two halves of the carry that the step was given.
    - `output`: what it returned.

    **Raises**

    - `TypeError`: if the two carries differ in more than the values of arrays.
    """
    carry = combine(arrays, static)
    differences = _differences(lambda path: f"`carry{keystr(path)}`", carry, output, _is_fine_for_jax)
    if differences:
        raise TypeError(
            f"`{transformation}`: the carry that `{function}` returns must be like the one that it is given, in "
            "structure, in the shapes and dtypes of arrays, and in every leaf that is no array. But:"
            + _as_list(differences, "given", "returned", _FOR_CARRIES)
        )
    leaves, treedef = tree_flatten(carry)
    new_leaves = tree_flatten(output)[0]
    return treedef.unflatten(
        _as_array(new) if is_array(leaf) else None for leaf, new in zip(leaves, new_leaves, strict=True)
    )


def check_branches(transformation: str, names: tuple[str, str], outputs: tuple[_PyTree, _PyTree]) -> None:
    """Raise a `TypeError` if the outputs of two branches differ in more than the values of arrays."""
    differences = _differences(lambda path: f"`output{keystr(path)}`", *outputs, _is_same_dtype)
    if differences:
        raise TypeError(
            f"`{transformation}`: all branches must return the same, but for the values of arrays. But:"
            + _as_list(differences, f"from `{names[0]}`", f"from `{names[1]}`", _FOR_BRANCHES)
        )


def _as_list(differences: list[Difference], first: str, second: str, advice: dict[DifferenceKind, str]) -> str:
    return "".join(
        f"\n- {found.place}: {first} {found.before}; {second} {found.after}. {advice[found.kind]}"
        for found in differences
    )


def _differences(
    place: Callable[[KeyPath], str],
    before: _PyTree,
    after: _PyTree,
    is_fine: Callable[[ArrayType, ArrayType], bool],
) -> list[Difference]:
    leaves, treedef = tree_flatten_with_path(before)
    new_leaves, new_treedef = tree_flatten(after)
    if treedef != new_treedef:
        return [structure_difference(place, before, after)]
    differences: list[Difference | None] = []
    for (path, leaf), new in zip(leaves, new_leaves, strict=True):
        old_type, new_type = _leaf_type(leaf), _leaf_type(new)
        if isinstance(old_type, ArrayType) and isinstance(new_type, StaticLeaf) and is_array_like(new):
            new_type = array_type(new)
        if isinstance(old_type, ArrayType) and isinstance(new_type, ArrayType) and is_fine(old_type, new_type):
            continue
        differences.append(leaf_difference(place(path), old_type, new_type))
    return [difference for difference in differences if difference is not None]


def _leaf_type(leaf: Any) -> ArrayType | StaticLeaf:
    return array_type(leaf) if is_array(leaf) else StaticLeaf(leaf)


def _as_array(leaf: Any) -> Any:
    return leaf if is_array(leaf) else jnp.asarray(leaf)


def _is_same_dtype(before: ArrayType, after: ArrayType) -> bool:
    return before.shape == after.shape and before.dtype == after.dtype


def _is_fine_for_jax(before: ArrayType, after: ArrayType) -> bool:
    """Whether JAX can go on with an array of another type: it converts an initial value whose type is weak."""
    if before.shape != after.shape or before.dtype == after.dtype or not before.weak_type:
        return before.shape == after.shape and before.dtype == after.dtype
    try:
        return bool(jax.eval_shape(jnp.add, _example(before), _example(after)).dtype == after.dtype)
    except (TypeError, ValueError):  # there is no such dtype
        return False


def _example(kind: ArrayType) -> Any:
    struct: Any = jax.ShapeDtypeStruct  # its `__init__` has no types
    return struct((), kind.dtype, weak_type=kind.weak_type)
