"""`Identity`: the layer that does nothing."""

from typing import Any, TypeVar

from jax import Array

from .._module import Module

_T = TypeVar("_T")


class Identity(Module):
    """Returns its input. Useful in the place of a layer that is switched off.

    **Arguments**

    - `*args`, `**kwargs`: ignored, so that any other layer's arguments are accepted.

    **Example**
    ```python
    >>> eqx.nn.Identity(3, 2, use_bias=False)("anything")
    'anything'

    ```
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, x: _T, *, key: Array | None = None) -> _T:
        """Return `x` itself, which may be anything; `key` is ignored."""
        return x
