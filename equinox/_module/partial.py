"""`Partial`: a function with some of its arguments, as a PyTree."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .module import Module

_R_co = TypeVar("_R_co", covariant=True)


class Partial(Module, Generic[_R_co]):
    """Like `functools.partial`, but a PyTree: the function, and every argument stored, are its children.

    **Arguments**

    - `func`: the function to call; a Module, say.
    - `*args`, `**kwargs`: its first positional arguments, and keyword arguments.

    **Raises** (when called)

    - `TypeError`: a keyword argument that is stored is given again.

    **Example**
    ```python
    >>> shift = eqx.Partial(jnp.add, jnp.array(1.0))
    >>> shift(2.0)
    Array(3., dtype=float32, weak_type=True)
    >>> jax.tree.map(lambda x: 10 * x, shift.args)
    (Array(10., dtype=float32, weak_type=True),)

    ```
    """

    func: Callable[..., _R_co]
    args: tuple[Any, ...]
    keywords: dict[str, Any]

    def __init__(self, func: Callable[..., _R_co], /, *args: Any, **kwargs: Any) -> None:
        self.func = func
        self.args = args
        self.keywords = kwargs

    def __call__(self, /, *args: Any, **kwargs: Any) -> _R_co:
        return self.func(*self.args, *args, **kwargs, **self.keywords)
