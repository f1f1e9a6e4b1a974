"""What all filtered transformations return: a callable Module around a callable, which binds like a function."""

import abc
import functools
import types
from collections.abc import Callable
from typing import Any

from .._module import Module, field, module_update_wrapper
from .._tree.pretty import tree_pformat


class Wrapped(Module):
    """A transformed callable. Its only children are those of the callable; what else it needs to know is static."""

    _function: Any
    #: The name of the transformation.
    _transformation: str = field(static=True)

    @abc.abstractmethod
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any: ...

    @property
    def __wrapped__(self) -> Any:
        """The callable as it was before."""
        return self._function

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return module_update_wrapper(self._bound_type()(self, instance))

    def _bound_type(self) -> "type[BoundWrapped]":
        return BoundWrapped

    def __repr__(self) -> str:
        return f"{self._transformation}({tree_pformat(self.__wrapped__)})"


class BoundWrapped(Module):
    """A transformed method together with its instance: a PyTree whose leaves are those of both."""

    _method: Wrapped
    _instance: Any

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._method(self._instance, *args, **kwargs)

    @property
    def __wrapped__(self) -> types.MethodType:
        """The method as it was before, bound; its signature lacks `self`."""
        return types.MethodType(self._method.__wrapped__, self._instance)

    def __repr__(self) -> str:
        return f"<bound {self._method!r} of {tree_pformat(self._instance)}>"


def as_decorator(transformation: Callable[..., Any], options: dict[str, Any]) -> Callable[[Any], Any]:
    """What `transformation(**options)`, without a function, returns: a decorator."""
    return functools.partial(transformation, **options)


def check_callable(transformation: str, function: Any) -> None:
    """Raise an error if `function`, which is to be transformed, cannot even be called."""
    if not callable(function):
        raise TypeError(
            f"`{transformation}` needs a callable to transform. Found a value of type `{type(function).__qualname__}`."
        )


def reject_removed_options(transformation: str, options: dict[str, Any], *removed: str) -> None:
    """Raise an error that names an option which this transformation had in its early days."""
    for name in removed:
        if name in options:
            raise ValueError(
                f"`{transformation}` no longer has the option `{name}`. Which leaves it acts on is decided leaf by "
                "leaf; use `partition` and `combine` to choose them yourself."
            )
