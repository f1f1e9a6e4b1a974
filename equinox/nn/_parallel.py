"""`Parallel`: several layers that have the same input."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, overload

import jax
from jax import Array
from typing_extensions import TypeVar

from .._module import Module
from .._sentinel import sentinel
from ._stateful import StatefulLayer, call_layer, is_stateful, reject_stateful_layers, split_key

_State = TypeVar("_State")
_Out = TypeVar("_Out", default=tuple[Any, ...])


class Parallel(StatefulLayer, Generic[_Out]):
    """Calls each layer with the same input, and merges the outputs.

    **Arguments**

    - `layers`: an iterable of callables, which are called as in [`Sequential`][equinox.nn.Sequential]. A state is
        passed from one to the next.
    - `merge`: a function of the tuple of outputs, such as `sum` or `jax.numpy.concatenate`. By default, the tuple is
        returned as it is.

    **Example**
    ```python
    >>> key1, key2 = jax.random.split(jax.random.key(0))
    >>> branches = [eqx.nn.Conv2d(3, 4, 1, key=key1), eqx.nn.Conv2d(3, 8, 3, padding=1, key=key2)]
    >>> eqx.nn.Parallel(branches, merge=jnp.concatenate)(jnp.ones((3, 5, 5))).shape
    (12, 5, 5)

    ```
    """

    layers: Final[tuple[Any, ...]]
    merge: Final[Callable[[tuple[Any, ...]], _Out]]  # type: ignore[misc] # mypy wants no type variables in `Final`

    @overload
    def __init__(self: "Parallel[tuple[Any, ...]]", layers: Iterable[Callable[..., Any] | Module]) -> None: ...
    @overload
    def __init__(
        self, layers: Iterable[Callable[..., Any] | Module], merge: Callable[[tuple[Any, ...]], _Out]
    ) -> None: ...
    def __init__(
        self, layers: Iterable[Callable[..., Any] | Module], merge: Callable[[tuple[Any, ...]], Any] = tuple
    ) -> None:
        self.layers = tuple(layers)
        self.merge = merge

    @overload
    def __call__(self, x: Any, *, key: Array | None = None) -> _Out: ...
    @overload
    def __call__(self, x: Any, state: _State, *, key: Array | None = None) -> tuple[_Out, _State]: ...
    def __call__(self, x: Any, state: Any = sentinel, *, key: Array | None = None) -> Any:
        """Call all layers with `x`.

        **Arguments**

        - `x`: whatever the layers accept.
        - `state`: passed from stateful layer to stateful layer. It may be left out if there are none.
        - `key`: a PRNG key, of which each layer gets its own part.

        **Returns**

        What `merge` returns; if `state` is given, that and the new state as a pair.

        **Raises**

        - `ValueError`: `state` is missing although one of the layers is stateful.
        """
        has_state = state is not sentinel
        if not has_state:
            reject_stateful_layers(self, ((f"layers[{i}]", layer) for i, layer in enumerate(self.layers)))
        outs: list[Any] = []
        with jax.named_scope("eqx.nn.Parallel"):
            for i, (layer, layer_key) in enumerate(zip(self.layers, split_key(key, len(self.layers)), strict=True)):
                out, state = call_layer(f"layers[{i}]", layer, x, state, layer_key)
                outs.append(out)
            merged = self.merge(tuple(outs))
        return (merged, state) if has_state else merged

    def is_stateful(self) -> bool:
        """Whether any of the layers is stateful."""
        return any(map(is_stateful, self.layers))
