"""`Sequential`: layers one after the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, SupportsIndex, cast, overload

import jax
from jax import Array
from typing_extensions import TypeVar

from .._errors import describe, locate
from .._module import Module, field
from .._sentinel import sentinel
from ._stateful import StatefulLayer, call_layer, is_stateful, reject_stateful_layers, split_key

_State = TypeVar("_State")
_Layer_co = TypeVar("_Layer_co", bound=Callable[..., Any], covariant=True, default=Any)


class Sequential(StatefulLayer, Generic[_Layer_co]):
    """Calls each layer with the output of the one before.

    `model[i]` is a layer, `model[i:j]` a `Sequential` of some of them; `len(model)` and iteration work too. Layers that
    have names can also be found by them: `model["head"]`.

    **Arguments**

    - `layers`: an iterable of callables, or a mapping from names to callables, in the order in which they are called.
        Each is called as `layer(x, key=key)`, or, if it is a [`StatefulLayer`][equinox.nn.StatefulLayer], as
        `layer(x, state=state, key=key)`. Functions do not take a key: wrap them in [`Lambda`][equinox.nn.Lambda].

    **Raises**

    - `ValueError`: a name is not a string.

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
    With names:
    ```python
    >>> model = eqx.nn.Sequential({"hidden": model[0], "activation": model[1], "head": model[2]})
    >>> model["head"].out_features
    2
    >>> model[1:].names
    ('activation', 'head')

    ```
    """

    layers: Final[tuple[_Layer_co, ...]]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    names: Final[tuple[str, ...] | None]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        names = field(static=True, default=None)

    @overload
    def __init__(self, layers: Mapping[str, _Layer_co]) -> None: ...
    @overload
    def __init__(self, layers: Iterable[_Layer_co]) -> None: ...
    # For mypy, layers of different types are of the type that they all inherit from, which has no `__call__`.
    @overload
    def __init__(
        self: "Sequential[Callable[..., Any]]",
        layers: Iterable[Callable[..., Any] | Module] | Mapping[str, Callable[..., Any] | Module],
    ) -> None: ...
    def __init__(self, layers: Any) -> None:
        names = None
        if isinstance(layers, Mapping):
            named = cast(Mapping[str, Any], layers)
            layers, names = named.values(), _as_names(named)
        self.layers = tuple(layers)
        self.names = names

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
            reject_stateful_layers(self, ((f"layers[{i}]", layer) for i, layer in enumerate(self.layers)))
        with jax.named_scope("eqx.nn.Sequential"):
            for i, (layer, layer_key) in enumerate(zip(self.layers, split_key(key, len(self)), strict=True)):
                x, state = call_layer(f"layers[{i}]", layer, x, state, layer_key)
        return (x, state) if has_state else x

    def is_stateful(self) -> bool:
        """Whether any of the layers is stateful."""
        return any(is_stateful(layer) for layer in self.layers)

    @overload
    def __getitem__(self, i: SupportsIndex | str) -> _Layer_co: ...
    @overload
    def __getitem__(self, i: slice) -> "Sequential[_Layer_co]": ...
    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            layers = self.layers[i]
            return Sequential(layers if self.names is None else dict(zip(self.names[i], layers, strict=True)))
        if self.names is not None and isinstance(i, str):
            if i not in self.names:
                raise KeyError(f"`Sequential` has no layer `{i}`, only {', '.join(self.names)}.")
            return self.layers[self.names.index(i)]
        position: SupportsIndex = i
        if not hasattr(i, "__index__"):
            forms = "an integer or a slice" + ("" if self.names is None else ", or a name")
            raise TypeError(f"`Sequential` is indexed with {forms}, found {describe(i)}.")
        return self.layers[position]

    def __iter__(self) -> Iterator[_Layer_co]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)


def _as_names(layers: Mapping[str, Any]) -> tuple[str, ...]:
    for name in layers:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] # not every user has a type checker
            raise ValueError(f"{locate('layers')} must have strings as names, found {describe(name)}.")
    return tuple(layers)
