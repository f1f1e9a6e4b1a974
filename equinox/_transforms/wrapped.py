"""What all filtered transformations return: a callable Module around a callable, which binds like a function."""

import abc
import dataclasses
import functools
import importlib
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

from .._module import Module, field, module_update_wrapper
from .._module.wrapper import copy_names
from .._tree.equal import tree_equal
from .._tree.pretty import tree_pformat


class _Wrapper(Module):
    """A Module with the names of what it wraps. They are not pickled with it: what annotations hold often cannot be."""

    @property
    @abc.abstractmethod
    def __wrapped__(self) -> Any: ...

    def __getstate__(self) -> dict[str, Any]:
        names = [f.name for f in dataclasses.fields(self)]
        return {name: value for name, value in vars(self).items() if name in names}

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue] # `Module` hides it from checkers
        copy_names(self, self.__wrapped__)


class Wrapped(_Wrapper):
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

    def __reduce_ex__(self, protocol: Any) -> Any:
        # What decorates a function has taken its place, so that it must be pickled as functions are: by name. Otherwise
        # the function itself would have to be, under that name, but that is no longer what is found there.
        module, name = getattr(self, "__module__", None), getattr(self, "__qualname__", None)
        if module in sys.modules and name is not None and module != "__main__":  # which is another one elsewhere
            found = _find(module, name)
            if found is self:
                return name
            if type(found) is type(self) and tree_equal(found, self) is True:
                return _find, (module, name)
        return super().__reduce_ex__(protocol)


class BoundWrapped(_Wrapper):
    """A transformed method together with its instance: a PyTree whose leaves are those of both."""

    # Called as in Python's own bound methods.
    __func__: Wrapped
    __self__: Any

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    @property
    def __wrapped__(self) -> types.MethodType:
        """The method as it was before, bound; its signature lacks `self`."""
        return types.MethodType(self.__func__.__wrapped__, self.__self__)

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {tree_pformat(self.__self__)}>"


def _find(module: str, name: str) -> Any:
    """What has this qualified name; None if nothing has."""
    try:
        return operator.attrgetter(name)(importlib.import_module(module))
    except AttributeError:
        return None


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
