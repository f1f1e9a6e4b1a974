"""Which axis of which leaf a function is mapped over: `if_array`, and axes given as a prefix of a whole tree."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from .._errors import describe, locate
from .._jax_tree import KeyPath, keystr, tree_flatten, tree_leaves_with_path
from .._tree.predicates import is_array, is_none
from .._tree.prefix import flatten_up_to
from .arguments import Arguments, name_of
from .options import Prefix

_Axis: TypeAlias = int | None


@dataclasses.dataclass(frozen=True)
class if_array:  # noqa: N801 # it reads like a function, and is used like one
    """Say that every array is mapped over one of its axes, and that nothing else is mapped.

    **Arguments**

    - `axis`: the axis; negative numbers count from the end.

    **Returns** (when called, with a leaf)

    `axis` if the leaf is an array, `None` otherwise.

    **Example**
    ```python
    >>> eqx.if_array(1)(jnp.ones((2, 3))), eqx.if_array(1)("text")
    (1, None)

    ```
    """

    axis: int

    def __call__(self, x: object, /) -> int | None:
        return self.axis if is_array(x) else None


_FIRST_IF_ARRAY = if_array(0)


def as_axes(argument: str, axes: Any) -> Prefix:
    """Check that there is nothing in a tree of axes that cannot be one, and make it an option."""
    for path, axis in tree_leaves_with_path(axes, is_none):
        if not (axis is None or _is_axis(axis) or callable(axis)):
            raise ValueError(
                f"{locate(argument, path)}: found {describe(axis)}. Every leaf of `{argument}` must be an axis (an "
                "`int`), `None` for what is not mapped, or a function from a leaf to one of these, such as "
                "`if_array(0)`."
            )
    return Prefix.of(axes)


def argument_axes(in_axes: Prefix, function: Callable[..., Any], args: tuple[Any, ...]) -> list[_Axis]:
    """The axis of each leaf of the positional arguments.

    `in_axes` is a prefix of the tuple of arguments, or a dictionary of prefixes by the name of the parameter.
    """
    axes = in_axes.tree
    if not isinstance(axes, dict):
        return _spread(axes, args, "in_axes", "args")
    by_name = cast(dict[str, Any], axes)
    try:
        given = inspect.signature(function).bind(*args).arguments
    except ValueError as error:  # `bind` raises a `TypeError`
        raise ValueError(
            f"argument `in_axes` is a dictionary by the names of parameters, but nothing is known of the parameters of "
            f"`{name_of(function)}`. Give a tuple instead, with one entry for each argument."
        ) from error
    for name in by_name:
        if name not in given:
            raise ValueError(
                f"argument `in_axes` has the key {name!r}, but in this call of `{name_of(function)}` no argument of "
                f"that name was passed. Passed were {', '.join(map(repr, given))}."
            )
    return [
        axis
        for name, tree in given.items()
        for axis in _spread(by_name.get(name, _FIRST_IF_ARRAY), tree, f"in_axes[{name!r}]", name)
    ]


def output_axes(out_axes: Prefix, output: Any) -> list[_Axis]:
    """The axis of each leaf of the output."""
    return _spread(out_axes.tree, output, "out_axes", "output")


def axis_size(
    function: Callable[..., Any], args: tuple[Any, ...], axes: Sequence[_Axis], expected: int | None
) -> int | None:
    """The size of the mapped axes, after checking that all are there and have the same; None if nothing is mapped.

    **Arguments**

    - `function`, `args`: what is mapped, and its arguments.
    - `axes`: the axis of each leaf of the arguments.
    - `expected`: the size that the caller asked for, if any.
    """
    mapped = [
        (i, leaf, axis, _size(leaf, axis))
        for i, (leaf, axis) in enumerate(zip(tree_flatten(args)[0], axes, strict=True))
        if axis is not None
    ]
    sizes = {size for *_, size in mapped} | ({expected} - {None})
    if len(sizes) <= 1 and None not in sizes:
        return next(iter(sizes), None)
    places = Arguments(function).locate_leaves(args, {})
    if len(sizes - {None}) > 1:
        asked = "" if expected is None else f"\n  * `axis_size` is {expected};"
        found = "".join(
            f"\n  * axis {axis} of {places[i]}, {describe(leaf)}, has size {size};"
            for i, leaf, axis, size in mapped
            if size is not None
        )
        raise ValueError(
            f"`{name_of(function)}` got inconsistent sizes for array axes to be mapped:{asked}{found}\nAll of them "
            "must be the same. `in_axes` says what is mapped; `None` there is for what is not."
        )
    i, leaf, axis, _ = next(item for item in mapped if item[-1] is None)
    raise ValueError(
        f"`in_axes` asks for axis {axis} of {places[i]} of `{name_of(function)}`, which is {describe(leaf)}"
        f"{'' if is_array(leaf) else ' and no array'}. Use another axis, `None` for what is not mapped, or "
        "`if_array(...)` to map arrays only."
    )


def _size(leaf: Any, axis: int) -> int | None:
    """The size of an axis; None if there is no such axis."""
    if not is_array(leaf) or not -leaf.ndim <= axis < leaf.ndim:
        return None
    size: int = leaf.shape[axis]
    return size


def _spread(axes: Any, tree: Any, argument: str, tree_argument: str) -> list[_Axis]:
    """Ask each leaf of a prefix for the axis of every leaf below it."""
    found, subtrees, _ = flatten_up_to(axes, tree, argument=argument, tree_argument=tree_argument, is_leaf=is_none)
    spread: list[_Axis] = []
    for axis, subtree in zip(found, subtrees, strict=True):
        leaves = tree_flatten(subtree)[0]
        if callable(axis):
            answers: list[Any] = [axis(leaf) for leaf in leaves]
            for leaf, answer in zip(leaves, answers, strict=True):
                if answer is not None and not _is_axis(answer):
                    raise TypeError(
                        f"argument `{argument}`: a function in it returned {describe(answer)} for {describe(leaf)}. It "
                        "must return an axis (an `int`), or `None` for what is not mapped."
                    )
            spread += answers
        else:
            spread += [axis] * len(leaves)
    return spread


def _is_axis(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def locate_output(path: KeyPath) -> str:
    """Say where a leaf of the output is."""
    return f"leaf `{keystr(path)}` of the output" if path else "the output"


def out_of_bounds(axis: int, path: KeyPath, dimensions: int) -> ValueError:
    """The error for an output that cannot have its mapped axis where `out_axes` says."""
    return ValueError(
        f"`out_axes` puts the mapped axis of {locate_output(path)} at {axis}: axis {axis} is out of bounds for array "
        f"of dimension {dimensions}. It must correspond to a dimension of the output, the mapped one included: from "
        f"{-dimensions} to {dimensions - 1}."
    )
