"""The arguments of a call: one way to write it down for all the ways to spell it, and a name for each of them."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .._errors import locate
from .._jax_tree import tree_flatten_with_path


class Arguments:
    """What the signature of a function says about the arguments of its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function_name: str = name_of(function)
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # builtins without one
            self._signature = None
        self._orders: dict[tuple[Any, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def canonical(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Pass by position what can be, and the rest by keyword in the order of the signature.

        So `f(1, b=2)` and `f(b=2, a=1)` are the same call. Defaults are not filled in.
        """
        if self._signature is None or not kwargs:
            return args, kwargs
        spelling = (len(args), *kwargs)
        order = self._orders.get(spelling)
        if order is None:
            bound = self._signature.bind(*args, **dict(zip(kwargs, kwargs, strict=True)))
            by_position = tuple(bound.args[len(args) :])
            order = self._orders[spelling] = (by_position, tuple(bound.kwargs))
        by_position, by_keyword = order
        return args + tuple(kwargs[name] for name in by_position), {name: kwargs[name] for name in by_keyword}

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the `TypeError` that Python would raise if the function cannot be called with these arguments."""
        if self._signature is not None:
            self._signature.bind(*args, **kwargs)

    def names(self, count: int) -> list[str]:
        """The names of the first `count` positional arguments."""
        names: list[str] = []
        rest = "args"
        if self._signature is not None:
            for parameter in self._signature.parameters.values():
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                    names.append(parameter.name)
                elif parameter.kind is parameter.VAR_POSITIONAL:
                    rest = parameter.name
        names = names[:count]
        return names + [f"{rest}[{i}]" for i in range(count - len(names))]

    def resolve(
        self, argnums: tuple[int, ...], argnames: tuple[str, ...], count: int
    ) -> tuple[frozenset[int], frozenset[str]]:
        """The positions and the names of the arguments meant, in a call with `count` positional arguments.

        As in `jax.jit`, naming a parameter by number means it also when it is passed by keyword, and vice versa.
        """
        parameters = [] if self._signature is None else list(self._signature.parameters.values())
        positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        # Negative numbers count from the end of the parameters, or of the arguments where there can be any number.
        end = count if any(p.kind is p.VAR_POSITIONAL for p in parameters) or not parameters else len(positional)
        positions = {i + end if i < 0 else i for i in argnums}
        positions |= {positional.index(name) for name in argnames if name in positional}
        names = {*argnames, *(positional[i] for i in positions if 0 <= i < len(positional))}
        return frozenset(positions), frozenset(names)

    def locate_leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """Where each leaf of the arguments is, in words."""
        return locate_leaves([*self.names(len(args)), *kwargs], [*args, *kwargs.values()])


def locate_leaves(names: Sequence[str], trees: Sequence[Any]) -> list[str]:
    """Where each leaf of the named trees is, in words."""
    return [
        locate(name, path)
        for name, tree in zip(names, trees, strict=True)
        for path, _ in tree_flatten_with_path(tree)[0]
    ]


def name_of(function: Any) -> str:
    """The name under which a callable is known: its own, that of what it wraps, or that of its class."""
    while not isinstance(name := getattr(function, "__name__", None), str):
        inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        if inner is None:
            return type(function).__name__
        function = inner
    return name
