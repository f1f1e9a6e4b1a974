"""`Residual`: a layer whose output is added to its input."""

from collections.abc import Callable
from typing import Any, Final, Generic, overload

import jax
from jax import Array
from typing_extensions import TypeVar

from .._sentinel import sentinel
from ._stateful import StatefulLayer, call_layer, is_stateful, reject_stateful_layers

_State = TypeVar("_State")
_Layer_co = TypeVar("_Layer_co", bound=Callable[..., Any], covariant=True)


class Residual(StatefulLayer, Generic[_Layer_co]):
    r"""Adds what a layer makes of its input to the input itself: $x + f(x)$.

    He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016.

    **Arguments**

    - `layer`: a callable whose output has the shape of its input. It gets the key, and the state if it is a
        [`StatefulLayer`][equinox.nn.StatefulLayer], as in [`Sequential`][equinox.nn.Sequential].

    **Example**
    ```python
    >>> block = eqx.nn.Residual(eqx.nn.Sequential([
    ...     eqx.nn.LayerNorm(4),
    ...     eqx.nn.MLP(4, 4, width_size=16, depth=1, key=jax.random.key(0)),
    ... ]))
    >>> block(jnp.ones(4)).shape
    (4,)

    ```
    """

    layer: Final[_Layer_co]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them

    def __init__(self, layer: _Layer_co) -> None:
        self.layer = layer

    @overload
    def __call__(self, x: Array, *, key: Array | None = None) -> Array: ...
    @overload
    def __call__(self, x: Array, state: _State, *, key: Array | None = None) -> tuple[Array, _State]: ...
    def __call__(self, x: Array, state: Any = sentinel, *, key: Array | None = None) -> Any:
        """Call the layer, and add.

        **Arguments**

        - `x`: whatever the layer accepts.
        - `state`: passed to the layer if that is stateful. It may be left out if it is not.
        - `key`: a PRNG key, for the layer.

        **Returns**

        An array of the shape of `x`; if `state` is given, that and the new state as a pair.

        **Raises**

        - `ValueError`: the output of the layer has another shape than `x`; `state` is missing although the layer is
            stateful.
        """
        has_state = state is not sentinel
        if not has_state:
            reject_stateful_layers(self, [("layer", self.layer)])
        with jax.named_scope("eqx.nn.Residual"):
            out, state = call_layer("layer", self.layer, x, state, key)
            if jax.numpy.shape(out) != jax.numpy.shape(x):
                raise ValueError(
                    f"What `Residual` adds to `x` must have the shape of `x`, {jax.numpy.shape(x)}. Its layer of type "
                    f"`{type(self.layer).__name__}` returned an array of shape {jax.numpy.shape(out)}."
                )
            out = x + out
        return (out, state) if has_state else out

    def is_stateful(self) -> bool:
        """Whether the layer is stateful."""
        return is_stateful(self.layer)
