"""`Linear`: a matrix and a bias."""

from typing import TYPE_CHECKING, Final, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from ._initialise import Initialiser, weight_and_bias
from ._shapes import as_size_or_scalar, checked, shape_of
from ._spelling import spelled


class Linear(Module):
    r"""An affine transformation of a vector, $W x + b$ with $W$ = `weight` and $b$ = `bias`.

    All parameters start uniform on $[-a, a)$ with $a = 1 / \sqrt{\text{in_features}}$ (and $a = 1$ if that is 0).

    **Arguments**

    - `in_features`: the number of inputs, or `"scalar"` if the input has shape `()`.
    - `out_features`: the number of outputs, or `"scalar"` if the output is to have shape `()`.
    - `bias`, or `use_bias`: whether there is a bias. (`linear.use_bias` is this flag, `linear.bias` the parameter.)
    - `dtype`: of the parameters, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weight and bias instead: functions of a PRNG
        key, a shape and a dtype, as in `jax.nn.initializers`, for which see [`out_first`][equinox.nn.out_first].

    **Raises**

    - `ValueError`: a size is neither a non-negative integer nor `"scalar"`; `dtype` is an integer one;
        what `weight_init` or `bias_init` returns has another shape or dtype.

    **Example**
    ```python
    >>> linear = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    >>> linear
    Linear(
      weight=f32[2,3], bias=f32[2], in_features=3, out_features=2, use_bias=True
    )
    >>> linear(jnp.ones(3)).shape
    (2,)
    >>> jax.vmap(linear)(jnp.ones((10, 3))).shape
    (10, 2)

    ```
    """

    weight: Final[Array]
    bias: Final[Array | None]
    in_features: Final[int | Literal["scalar"]]
    out_features: Final[int | Literal["scalar"]]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        in_features = field(static=True)
        out_features = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        in_features: int | Literal["scalar"],
        out_features: int | Literal["scalar"],
        bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        use_bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.in_features = as_size_or_scalar("in_features", in_features)
        self.out_features = as_size_or_scalar("out_features", out_features)
        self.use_bias = bool(spelled(bias, use_bias=use_bias))
        columns = 1 if self.in_features == "scalar" else self.in_features
        rows = 1 if self.out_features == "scalar" else self.out_features
        self.weight, self.bias = weight_and_bias(
            key, (rows, columns), (rows,), columns, self.use_bias, dtype, weight_init, bias_init
        )

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Transform one vector.

        **Arguments**

        - `x`: shape `(in_features,)`, or `()` for `"scalar"`.
        - `key`: ignored.

        **Returns**

        An array of shape `(out_features,)`, or `()` for `"scalar"`.

        **Raises**

        - `ValueError`: `x` has another shape. For a batch of vectors, use `jax.vmap`.
        """
        x = checked(self, "x", x, shape_of(self.in_features))
        with jax.named_scope("eqx.nn.Linear"):
            if self.in_features == "scalar":
                x = x.reshape(1)
            # Not `weight @ x`, for which `jax.vmap` has to move the axis of a batch back to the front.
            x = jnp.tensordot(x, self.weight, (0, 1))
            if self.bias is not None:
                x = x + self.bias
            if self.out_features == "scalar":
                x = x.reshape(())
            return x
