"""`StatefulLayer`: what a layer is that takes a state besides its input, and returns a new one."""

import abc
from typing import Any

from jax import Array

from .._module import Module


class StatefulLayer(Module):
    """Abstract base class of layers that are called as `layer(x, state, key=key)` and return `(out, state)`.

    [`Sequential`][equinox.nn.Sequential] hands the state to the layers that inherit from this class, and to no others.

    **Example**
    ```python
    >>> class Counter(eqx.nn.StatefulLayer):
    ...     def __call__(self, x, state, *, key=None):
    ...         return x, state + 1
    >>> eqx.nn.Sequential([Counter(), eqx.nn.Identity(), Counter()])("x", 0)
    ('x', 2)

    ```
    """

    @abc.abstractmethod
    def __call__(self, x: Any, /, state: Any, *, key: Array | None = None) -> tuple[Any, Any]:
        """Return the output for `x`, and the new state."""

    def is_stateful(self) -> bool:
        """Whether the layer takes and returns a state. Override this where it depends on the instance."""
        return True


def is_stateful(layer: object) -> bool:
    """Whether the layer is to be called with a state."""
    return isinstance(layer, StatefulLayer) and layer.is_stateful()
