"""Reverse-mode gradients with respect to some leaves: they become the argument, everything else is closed over."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .._errors import describe
from .._jax_tree import tree_flatten
from .._module import field
from .._tree.predicates import is_array, is_array_like
from .arguments import Arguments, locate_leaves, name_of
from .conceal import conceal, reveal
from .selection import Selection
from .split import Places, split_aux
from .wrapped import Wrapped


@dataclasses.dataclass(frozen=True)
class GradOptions:
    """What is differentiated, and what is returned."""

    selection: Selection
    argnums: int | tuple[int, ...]
    has_aux: bool
    returns_value: bool
    holomorphic: bool
    allow_int: bool
    #: Further options for `jax.value_and_grad`.
    jax_options: tuple[tuple[str, Any], ...] = ()


class Differentiated(Wrapped):
    """A function that returns the gradient of another one, with or without the value."""

    _options: GradOptions = field(static=True)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        options = self._options
        function = self._function
        positions = (options.argnums,) if isinstance(options.argnums, int) else options.argnums
        if not args or max(positions, default=-1) >= len(args):
            raise TypeError(self._missing_argument(positions, args, kwargs))

        def names() -> list[str]:
            every = Arguments(function).names(len(args))
            return [every[position] for position in positions]

        trees = [args[position] for position in positions]
        leaves, treedef = tree_flatten(trees)
        places = Places(treedef, tuple(options.selection.mask(leaves, names, trees)))
        selected, rest = places.separate(leaves)
        if not all(_is_differentiable(leaf, options.allow_int) for leaf in selected):
            located, _ = places.separate(locate_leaves(names(), trees))
            raise TypeError(_not_differentiable(self._transformation, selected, located, options.allow_int))

        def of_selected(selected: list[Any]) -> Any:
            arguments = list(args)
            for position, tree in zip(positions, places.join(selected, rest), strict=True):
                arguments[position] = tree
            output = function(*arguments, **kwargs)
            if options.has_aux:
                value, aux = split_aux(function, output)
                return _check_scalar(function, value), conceal(aux, is_array)
            return _check_scalar(function, output)

        output, gradient = jax.value_and_grad(
            of_selected,
            has_aux=options.has_aux,
            holomorphic=options.holomorphic,
            allow_int=options.allow_int,
            **dict(options.jax_options),
        )(selected)
        gradients = places.outline(gradient)
        gradient = gradients[0] if isinstance(options.argnums, int) else tuple(gradients)
        if options.has_aux:
            output = output[0], reveal(output[1])
        if options.returns_value:
            return output, gradient
        return (gradient, output[1]) if options.has_aux else gradient

    def _missing_argument(self, positions: Sequence[int], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        start = f"Functions wrapped with `{self._transformation}` are differentiated with respect to "
        if len(positions) == 1 and positions[0] == 0:
            start += "their first positional argument, "
        else:
            start += f"their positional arguments at {', '.join(map(str, positions))} (`argnums`), "
        if kwargs:
            return (
                f"{start}but {len(args)} were given by position and {', '.join(f'`{name}`' for name in kwargs)} by "
                "keyword. Pass what is to be differentiated by position."
            )
        return f"{start}but only {len(args)} were given." if args else f"{start}but no argument was given."


def _is_differentiable(leaf: Any, allow_int: bool) -> bool:
    if not is_array_like(leaf):
        return False
    return allow_int or bool(jnp.issubdtype(jnp.result_type(leaf), jnp.inexact))


def _not_differentiable(transformation: str, selected: list[Any], places: list[str], allow_int: bool) -> str:
    leaf, place = next(
        pair for pair in zip(selected, places, strict=True) if not _is_differentiable(pair[0], allow_int)
    )
    return (
        f"`{transformation}` cannot differentiate {place}: it is {describe(leaf)}, but only floating-point and complex "
        "numbers and arrays have gradients. Select fewer leaves; `is_inexact_array` selects those that have gradients."
    )


def _check_scalar(function: Callable[..., Any], value: Any) -> Any:
    """Raise JAX's error for what has no gradient, with the name of the function."""
    name = name_of(function)
    if not is_array_like(value):
        raise TypeError(
            f"Gradient only defined for scalar-output functions. `{name}` returned {describe(value)}, which is no "
            "number."
        )
    if jnp.shape(value) != ():
        raise TypeError(
            f"Gradient only defined for scalar-output functions. Output of `{name}` had shape: {jnp.shape(value)}."
        )
    return value
