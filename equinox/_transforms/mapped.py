"""Calling a function on slices of its arguments: what `filter_vmap` and `filter_pmap` have in common.

The mapped leaves become the one argument of a function for JAX to map, and everything else is closed over. Its output
is a list of the leaves to be stacked, the arrays that must be the same for all slices, and the rest.
"""

import abc
import dataclasses
import itertools
from collections.abc import Callable, Hashable
from typing import Any

import jax.numpy as jnp

from .._errors import describe
from .._jax_tree import KeyPath, keystr, tree_flatten, tree_leaves_with_path
from .._module import field
from .._tree.predicates import is_array, is_array_like
from .arguments import name_of
from .axes import argument_axes, as_axes, axis_size, locate_output, out_of_bounds, output_axes
from .conceal import conceal, reveal
from .options import Prefix
from .template import Template
from .wrapped import Wrapped


@dataclasses.dataclass(frozen=True)
class MapOptions:
    """What is mapped, and where the results go."""

    in_axes: Prefix
    out_axes: Prefix
    axis_name: Hashable
    axis_size: int | None
    #: Further options of the transformation.
    more: tuple[tuple[str, Any], ...] = ()


class Mapped(Wrapped):
    """A function mapped over axes of its arguments."""

    _options: MapOptions = field(static=True)

    @abc.abstractmethod
    def _map(self, of_slices: Callable[[list[Any]], Any], leaves: list[Any], axes: list[int], size: int) -> Any:
        """Call a function of slices, which returns a triple, for all slices.

        The first of the triple is stacked along a new first axis; the others are the same for all slices.
        """

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        function, options = self._function, self._options
        reject_keywords(self._transformation, function, kwargs)
        axes = argument_axes(options.in_axes, function, args)
        size = axis_size(function, args, axes, options.axis_size)
        if size is None:
            return self._call_once(args)
        leaves, treedef = tree_flatten(args)
        mask = [axis is not None for axis in axes]
        arguments = Template(treedef, leaves, mask, None)

        def of_slices(slices: list[Any]) -> Any:
            return self._split(function(*arguments.fill(slices)))

        mapped = [leaf for leaf, is_mapped in zip(leaves, mask, strict=True) if is_mapped]
        stacked, same, rest = self._map(of_slices, mapped, [axis for axis in axes if axis is not None], size)
        output, places = reveal(rest)
        of_each, of_all = iter(stacked), iter(tree_flatten(same)[0])  # in the order of the leaves
        return output.fill([next(of_all) if axis is None else _move(next(of_each), axis) for axis in places])

    def _call_once(self, args: tuple[Any, ...]) -> Any:
        """Call the function when nothing is mapped."""
        output = self._function(*args)
        axes = output_axes(self._options.out_axes, output)
        for (path, _), axis in zip(tree_leaves_with_path(output), axes, strict=True):
            if axis is not None:
                raise ValueError(
                    f"`{self._transformation}` cannot tell the size of the mapped axis: `in_axes` maps no argument of "
                    f"`{name_of(self._function)}`, but `out_axes` gives {locate_output(path)} the axis {axis}. Map "
                    "an argument, give `axis_size`, or use `out_axes=None`."
                )
        return output

    def _split(self, output: Any) -> Any:
        """Split the output for one slice into what is stacked, what is the same for all, and what is no array."""
        leaves, treedef = tree_flatten(output)
        axes = output_axes(self._options.out_axes, output)
        for i, (leaf, axis) in enumerate(zip(leaves, axes, strict=True)):
            if axis is not None:
                self._check_output(output, i, leaf, axis)
        is_stacked = [axis is not None for axis in axes]
        is_dynamic = [stacked or is_array(leaf) for leaf, stacked in zip(leaves, is_stacked, strict=True)]
        same: dict[tuple[int, str], Any] = {}
        if is_dynamic != is_stacked:
            # JAX's error for a leaf that is not the same for all slices shows its key.
            for i, (path, leaf) in enumerate(tree_leaves_with_path(output)):
                if is_dynamic[i] and not is_stacked[i]:
                    same[i, f"output{keystr(path)}"] = leaf
        rest = Template(treedef, leaves, is_dynamic, None), tuple(itertools.compress(axes, is_dynamic))
        return list(itertools.compress(leaves, is_stacked)), same, conceal(rest, is_array)

    def _check_output(self, output: Any, i: int, leaf: Any, axis: int) -> None:
        """Raise an error if the i-th leaf of the output, which is this one, cannot be stacked along this axis."""
        if not is_array_like(leaf):
            raise TypeError(
                f"`out_axes` of `{self._transformation}` gives {locate_output(_path(output, i))} of "
                f"`{name_of(self._function)}` the axis {axis}, but it is {describe(leaf)}, which is no array. Use "
                "`None` for what is not mapped, or `if_array(...)` to map arrays only."
            )
        dimensions = jnp.ndim(leaf) + 1
        if not -dimensions <= axis < dimensions:
            raise out_of_bounds(axis, _path(output, i), dimensions)


def _path(tree: Any, i: int) -> KeyPath:
    return tree_leaves_with_path(tree)[i][0]


def as_map_options(in_axes: Any, out_axes: Any, axis_name: Hashable, axis_size: int | None, **more: Any) -> MapOptions:
    """Check the options that all mapping transformations have, and make them comparable."""
    options = tuple(sorted(more.items()))
    return MapOptions(as_axes("in_axes", in_axes), as_axes("out_axes", out_axes), axis_name, axis_size, options)


def reject_keywords(transformation: str, function: Any, kwargs: dict[str, Any]) -> None:
    """Raise an error if there are keyword arguments: axes are given by position."""
    if kwargs:
        names = ", ".join(f"`{name}`" for name in kwargs)
        raise RuntimeError(
            f"keyword arguments cannot be used with functions wrapped with `{transformation}`. `{name_of(function)}` "
            f"was called with {names}. Pass all arguments by position."
        )


def _move(leaf: Any, axis: int) -> Any:
    return leaf if axis == 0 else jnp.moveaxis(leaf, 0, axis)
