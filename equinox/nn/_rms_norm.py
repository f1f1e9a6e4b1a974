"""`RMSNorm`: makes the root mean square of each example the same."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from .._sentinel import sentinel
from ._initialise import parameter_dtype
from ._normalise import as_shape, finished, promoting, squared_modulus, widened
from ._shapes import checked
from ._spelling import spelled

_State = TypeVar("_State")


class RMSNorm(Module):
    r"""Divides an example by the root mean square of its own entries, and then scales and shifts each entry.

    $$\frac{x}{\sqrt{\text{mean}(|x|^2) + \epsilon}} \odot w + b$$

    with $w$ = `weight`, which starts as ones, and $b$ = `bias`, which starts as zeros. Unlike
    [`LayerNorm`][equinox.nn.LayerNorm] it does not subtract a mean. All is computed with at least 32 bits.

    Zhang & Sennrich, *Root Mean Square Layer Normalization*, NeurIPS 2019 (where there is no bias).

    **Arguments**

    - `shape`: the shape of the input, or the size if it has one axis.
    - `eps`: $\epsilon$, which keeps the divisor away from 0.
    - `use_weight`: whether there is a weight.
    - `use_bias`, or `bias`: whether there is a bias. (`norm.use_bias` is this flag, `norm.bias` the parameter.)
    - `dtype`: of the parameters, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.

    **Raises**

    - `ValueError`: `shape` is not made of non-negative integers; `dtype` is an integer one.

    **Example**
    ```python
    >>> norm = eqx.nn.RMSNorm(2, use_bias=False)
    >>> norm(jnp.array([5.0, -5.0])).round(3)
    Array([ 1., -1.], dtype=float32)

    ```
    """

    shape: Final[tuple[int, ...]]
    eps: Final[float]
    use_weight: Final[bool]
    use_bias: Final[bool]
    weight: Final[Array | None]
    bias: Final[Array | None]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        shape = field(static=True)
        eps = field(static=True)
        use_weight = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float = 1e-5,
        use_weight: bool = True,
        use_bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        bias: bool | None = None,
    ) -> None:
        self.shape = as_shape("shape", shape)
        self.eps = float(eps)
        self.use_weight = bool(use_weight)
        self.use_bias = bool(spelled(use_bias, bias=bias))
        dtype = parameter_dtype(dtype)
        self.weight = jnp.ones(self.shape, dtype) if self.use_weight else None
        self.bias = jnp.zeros(self.shape, dtype) if self.use_bias else None

    @overload
    def __call__(self, x: Array, *, key: Array | None = None) -> Array: ...
    @overload
    def __call__(self, x: Array, state: _State, *, key: Array | None = None) -> tuple[Array, _State]: ...
    def __call__(self, x: Array, state: Any = sentinel, *, key: Array | None = None) -> Any:
        """Normalise one example.

        **Arguments**

        - `x`: an array of precisely the shape `shape`.
        - `state`: if given, is returned as it is, so that this layer can be called like a stateful one.
        - `key`: ignored.

        **Returns**

        An array of the shape and dtype of `x` (a floating-point one if `x` is of an integer one); if `state` is given,
        that and `state` as a pair.

        **Raises**

        - `ValueError`: `x` has another shape. For a batch, use `jax.vmap`.
        """
        x = checked(self, "x", x, self.shape)
        with jax.named_scope("eqx.nn.RMSNorm"), promoting():
            wide = widened(x)
            out = wide * jax.lax.rsqrt(jnp.mean(squared_modulus(wide)) + self.eps)
            out = finished(out, self.weight, self.bias, x)
        return out if state is sentinel else (out, state)
