"""`StatefulLayer`: what a layer is that takes a state besides its input, and returns a new one."""

import abc
from collections.abc import Iterable
from typing import Any

import jax
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


def reject_stateful_layers(composite: object, layers: Iterable[tuple[str, object]]) -> None:
    """Raise an error if a layer, which comes with its place in `composite`, needs a state, for there is none."""
    for place, layer in layers:
        if is_stateful(layer):
            raise ValueError(
                f"`{type(composite).__name__}` was called without a `state`, which its `{place}` of type "
                f"`{type(layer).__name__}` needs. Call it as `out, state = model(x, state)`."
            )


def call_layer(place: str, layer: Any, x: Any, state: Any, key: Array | None) -> tuple[Any, Any]:
    """Call a layer with a state if it is stateful, and without one otherwise; return its output, and the new state."""
    try:
        if is_stateful(layer):
            out, state = layer(x, state=state, key=key)
            return out, state
        return layer(x, key=key), state
    except TypeError as error:
        if not isinstance(layer, Module):
            error.add_note(f"`{place}` was called with `key=...`. Wrap functions in `eqx.nn.Lambda`.")
        raise


def split_key(key: Array | None, count: int) -> list[Array | None]:
    """One part of a PRNG key for each of several layers; `None` for each if there is no key."""
    return [None] * count if key is None or count == 0 else list(jax.random.split(key, count))
