"""Modules that wrap a function and look like it."""

from collections.abc import Callable
from typing import Any, TypeVar

from .flatten import WRAPPER_NAMES
from .module import Module

_M = TypeVar("_M", bound=Module)


def module_update_wrapper(wrapper: _M, wrapped: Callable[..., Any] | None = None) -> _M:
    """Give a Module that wraps a function the function's name, docstring and annotations.

    This is `functools.update_wrapper` for Modules. What is copied is `__module__`, `__name__`, `__qualname__`,
    `__doc__` and `__annotations__`, as far as the function has them. It becomes part of the PyTree's structure.

    **Arguments**

    - `wrapper`: an instance of a class with a property `__wrapped__`. It is left as it is.
    - `wrapped`: what to copy from; by default `wrapper.__wrapped__`.

    **Returns**

    A shallow copy of `wrapper`, with the names.

    **Raises**

    - `ValueError`: the class has no property `__wrapped__`, through which `inspect.signature` finds the signature.

    **Example**
    ```python
    >>> from collections.abc import Callable
    >>> class Twice(eqx.Module):
    ...     function: Callable
    ...     @property
    ...     def __wrapped__(self):
    ...         return self.function
    ...     def __call__(self, x):
    ...         return self.function(self.function(x))
    >>> def increment(x):
    ...     "Add one."
    ...     return x + 1
    >>> twice = eqx.module_update_wrapper(Twice(increment))
    >>> twice(1), twice.__name__, twice.__doc__
    (3, 'increment', 'Add one.')

    ```
    """
    if not isinstance(getattr(type(wrapper), "__wrapped__", None), property):
        raise ValueError(
            f"argument `wrapper` is an instance of `{type(wrapper).__qualname__}`, which has no property "
            "`__wrapped__`. Define one that returns the wrapped function."
        )
    layout = type(wrapper).__module_plan__.layout
    children, aux = layout.flatten(wrapper)
    updated: _M = layout.unflatten(aux, children)
    copy_names(updated, getattr(wrapper, "__wrapped__") if wrapped is None else wrapped)  # noqa: B009
    return updated


def copy_names(wrapper: Module, source: object) -> None:
    """Give a Module that nobody else has seen yet the names of a function."""
    for name in WRAPPER_NAMES:
        try:
            value = getattr(source, name)
        except (AttributeError, NameError):  # NameError: annotations that cannot be evaluated yet
            continue
        object.__setattr__(wrapper, name, value)
        type(wrapper).__module_plan__.layout.note_irregular()
