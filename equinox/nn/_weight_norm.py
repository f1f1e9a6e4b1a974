"""`WeightNorm`: learns a weight as its lengths and its directions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import Module, field
from ._normalise import promoting, squared_modulus
from ._reparameterise import call_with_weight, weight_of

_Layer = TypeVar("_Layer", bound=Callable[..., Any])


class WeightNorm(Module, Generic[_Layer]):
    r"""Calls a layer with one of its weights given by lengths and directions that are learnt separately.

    $$w = g \, \frac{v}{\|v\|}$$

    where $v$ is what the layer itself holds, and the lengths $g$ start as $\|v\|$. (Where $v$ is 0, so is $w$.)

    Salimans & Kingma, *Weight Normalization*, NeurIPS 2016.

    **Arguments**

    - `layer`: any callable PyTree.
    - `weight_name`: the name of the attribute of `layer` that is the weight.
    - `axis`: the axis along which there is one length for each index, each being that of the rest of the array. By
        default that of the outputs. With `None`, there is a single length.

    **Raises**

    - `AttributeError`: `layer` has no attribute of this name.
    - `ValueError`: it is not an array; it has no such axis.

    **Example**
    ```python
    >>> linear = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    >>> norm = eqx.nn.WeightNorm(linear)
    >>> norm.g.shape
    (2, 1)
    >>> jnp.allclose(norm(jnp.ones(3)), linear(jnp.ones(3)))
    Array(True, dtype=bool)

    ```
    """

    layer: Final[_Layer]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    g: Final[Array]
    weight_name: Final[str]
    axis: Final[int | None]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        weight_name = field(static=True)
        axis = field(static=True)

    def __init__(self, layer: _Layer, weight_name: str = "weight", axis: int | None = 0) -> None:
        weight = weight_of(layer, weight_name)
        if axis is not None and not -weight.ndim <= axis < weight.ndim:
            raise ValueError(
                f"{locate('axis')} must be an axis of `{weight_name}`, which has shape {weight.shape}, found {axis}."
            )
        self.layer = layer
        self.weight_name = weight_name
        self.axis = axis
        self.g = self._lengths(weight)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Call the layer with its normalised weight.

        **Arguments**

        - `x`: the input of the layer.
        - `key`: ignored.

        **Returns**

        The output of the layer.
        """
        with jax.named_scope("eqx.nn.WeightNorm"):
            v = weight_of(self.layer, self.weight_name)
            with promoting():  # `v` may be complex, and lengths are real
                lengths = self._lengths(v)
                is_zero = lengths == 0
                weight = v * jnp.where(is_zero, 0, self.g / jnp.where(is_zero, 1, lengths))
            return call_with_weight(self.layer, self.weight_name, weight, x)

    def _lengths(self, weight: Array) -> Array:
        axes = None if self.axis is None else tuple(i for i in range(weight.ndim) if i != self.axis % weight.ndim)
        squares = jnp.sum(squared_modulus(weight), axes, keepdims=True)
        is_zero = squares == 0  # where the derivative of the square root is infinite
        return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, squares)))
