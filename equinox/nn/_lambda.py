"""`Lambda`: any function as a layer."""

from collections.abc import Callable
from typing import Any, Final, Generic

import jax
from jax import Array
from typing_extensions import TypeVar

from .._module import Module

_Out = TypeVar("_Out", default=Any)


class Lambda(Module, Generic[_Out]):
    """Makes a layer of a function, for use in [`Sequential`][equinox.nn.Sequential]: it accepts and ignores `key`.

    **Arguments**

    - `fn`: any callable of one argument. If it is a Module, its parameters are those of the layer.

    **Example**
    ```python
    >>> model = eqx.nn.Sequential([eqx.nn.Lambda(jnp.ravel), eqx.nn.Linear(4, 1, key=jax.random.key(0))])
    >>> model(jnp.ones((2, 2))).shape
    (1,)

    ```
    """

    fn: Final[Callable[[Any], _Out]]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them

    def __call__(self, x: Any, *, key: Array | None = None) -> _Out:
        """Return `fn(x)`; `key` is ignored."""
        with jax.named_scope("eqx.nn.Lambda"):
            return self.fn(x)
