"""`Sequential`: layers one after the other."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, SupportsIndex, overload

import jax
from jax import Array
from typing_extensions import TypeVar

from .._errors import describe
from .._module import Module
from .._sentinel import sentinel
from ._stateful import StatefulLayer, is_stateful

_State = TypeVar("_State")
_Layer_co = TypeVar("_Layer_co", bound=Callable[..., Any], covariant=True, default=Any)


class Sequential(StatefulLayer, Generic[_Layer_co]):
    """Calls each layer with the output of the one before.

    `model[i]` is a layer, `model[i:j]` a `Sequential` of some of them; `len(model)` and iteration work too.

    **Arguments**

    - `layers`: an iterable of callables. Each is called as `layer(x, key=key)`, or, if it is a
        [`StatefulLayer`][equinox.nn.StatefulLayer], as `layer(x, state=state, key=key)`. Functions do not take a key:
        wrap them in [`Lambda`][equinox.nn.Lambda].

    **Example**
    ```python
    >>> key1, key2 = jax.random.split(jax.random.key(0))
    >>> model = eqx.nn.Sequential([
    ...     eqx.nn.Linear(4, 8, key=key1),
    ...     eqx.nn.Lambda(jax.nn.relu),
    ...     eqx.nn.Linear(8, 2, key=key2),
    ... ])
    >>> model(jnp.ones(4)).shape
    (2,)
    >>> len(model[:-1])
    2

    ```
    """

    layers: Final[tuple[_Layer_co, ...]]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them

    @overload
    def __init__(self, layers: Iterable[_Layer_co]) -> None: ...
    # For mypy, layers of different types are of the type that they all inherit from, which has no `__call__`.
    @overload
    def __init__(self: "Sequential[Callable[..., Any]]", layers: Iterable[Callable[..., Any] | Module]) -> None: ...
    def __init__(self, layers: Iterable[Any]) -> None:
        self.layers = tuple(layers)

    @overload
    def __call__(self, x: Array, *, key: Array | None = None) -> Array: ...
    @overload
    def __call__(self, x: Array, state: _State, *, key: Array | None = None) -> tuple[Array, _State]: ...
    def __call__(self, x: Array, state: Any = sentinel, *, key: Array | None = None) -> Any:
        """Pass `x` through all layers.

        **Arguments**

        - `x`: whatever the first layer accepts.
        - `state`: passed from stateful layer to stateful layer. It may be left out if there are none.
        - `key`: a PRNG key, of which each layer gets its own part.

        **Returns**

        The output of the last layer; if `state` is given, that and the new state as a pair.

        **Raises**

        - `ValueError`: `state` is missing although one of the layers is stateful.
        """
        has_state = state is not sentinel
        if not has_state:
            self._reject_stateful_layers()
        keys = [None] * len(self) if key is None or not self.layers else jax.random.split(key, len(self))
        with jax.named_scope("eqx.nn.Sequential"):
            for i, layer in enumerate(self.layers):
                try:
                    if is_stateful(layer):
                        x, state = layer(x, state=state, key=keys[i])
                    else:
                        x = layer(x, key=keys[i])
                except TypeError as error:
                    if not isinstance(layer, Module):
                        error.add_note(f"`layers[{i}]` was called with `key=...`. Wrap functions in `eqx.nn.Lambda`.")
                    raise
        return (x, state) if has_state else x

    def is_stateful(self) -> bool:
        """Whether any of the layers is stateful."""
        return any(is_stateful(layer) for layer in self.layers)

    @overload
    def __getitem__(self, i: SupportsIndex) -> _Layer_co: ...
    @overload
    def __getitem__(self, i: slice) -> "Sequential[_Layer_co]": ...
    def __getitem__(self, i: SupportsIndex | slice) -> Any:
        if isinstance(i, slice):
            return Sequential(self.layers[i])
        if not hasattr(i, "__index__"):
            raise TypeError(f"`Sequential` is indexed with an integer or a slice, found {describe(i)}.")
        return self.layers[i]

    def __iter__(self) -> Iterator[_Layer_co]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def _reject_stateful_layers(self) -> None:
        for i, layer in enumerate(self.layers):
            if is_stateful(layer):
                raise ValueError(
                    f"`Sequential` was called without a `state`, which its `layers[{i}]` of type "
                    f"`{type(layer).__name__}` needs. Call it as `out, state = model(x, state)`."
                )
