"""`doc_repr` and `doc_remove_args`: show in generated documentation what matters, and not what Python would print.

Both do nothing in a program. A tool that generates documentation sets `typing.GENERATING_DOCUMENTATION` before it
imports a library.
"""

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar, cast

_T = TypeVar("_T")


def doc_repr(obj: _T, string: str) -> _T:
    """Have an object printed as a text in generated documentation: a default argument, say, or a type.

    **Arguments**

    - `obj`: the object.
    - `string`: the text.

    **Returns**

    `obj`; while documentation is generated, a class that prints as the text, and calls `obj` when it is called.

    **Example**
    ```python
    >>> def relax(x, activation=doc_repr(jax.nn.relu, "<function relu>")):
    ...     return activation(x)
    >>> relax(-1.0)
    Array(0., dtype=float32, weak_type=True)

    ```
    """
    if not _is_generating():
        return obj

    class Shown(type):
        def __repr__(cls) -> str:
            return string

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return cast(Any, obj)(*args, **kwargs)

    return cast(_T, Shown(string, (), {"__doc__": getattr(obj, "__doc__", None)}))


def doc_remove_args(*args: str) -> Callable[[_T], _T]:
    """Make a decorator that hides parameters of a function from generated documentation.

    **Arguments**

    - `*args`: the names of the parameters.

    **Returns**

    A decorator. It returns the function itself; while documentation is generated, with a `__signature__` that lacks
    these parameters.
    """

    def decorate(function: _T) -> _T:
        if _is_generating():
            signature = inspect.signature(cast(Any, function))
            shown = [parameter for name, parameter in signature.parameters.items() if name not in args]
            cast(Any, function).__signature__ = signature.replace(parameters=shown)
        return function

    return decorate


def _is_generating() -> bool:
    return hasattr(typing, "GENERATING_DOCUMENTATION")
