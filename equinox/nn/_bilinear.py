"""`Bilinear`: a vector out of the products of the entries of two others."""

from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from ._initialise import Initialiser, weight_and_bias
from ._shapes import as_size, checked
from ._spelling import spelled


class Bilinear(Module):
    r"""A transformation of two vectors that is linear in each of them.

    With $W$ = `weight` and $b$ = `bias`,

    $$y_o = \sum_{i, j} W_{o, i, j} \, x_i \, x'_j + b_o$$

    All parameters start uniform on $[-a, a)$, where $1 / a^2$ is the number of terms in the sum (and $a = 1$ if that is
    0).

    **Arguments**

    - `in1_features`, `in2_features`: the sizes of the two vectors that come in.
    - `out_features`: the size of the one that comes out.
    - `use_bias`, or `bias`: whether there is a bias. (`layer.use_bias` is this flag, `layer.bias` the parameter.)
    - `dtype`: of the parameters, as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weight and bias instead, as in `Linear`.

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `dtype` is an integer one; what `weight_init` or `bias_init`
        returns has another shape or dtype.

    **Example**
    ```python
    >>> layer = eqx.nn.Bilinear(3, 4, 2, key=jax.random.key(0))
    >>> layer.weight.shape
    (2, 3, 4)
    >>> layer(jnp.ones(3), jnp.ones(4)).shape
    (2,)

    ```
    """

    weight: Final[Array]
    bias: Final[Array | None]
    in1_features: Final[int]
    in2_features: Final[int]
    out_features: Final[int]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        in1_features = field(static=True)
        in2_features = field(static=True)
        out_features = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        use_bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.in1_features = as_size("in1_features", in1_features)
        self.in2_features = as_size("in2_features", in2_features)
        self.out_features = as_size("out_features", out_features)
        self.use_bias = bool(spelled(use_bias, bias=bias))
        shape = (self.out_features, self.in1_features, self.in2_features)
        terms = self.in1_features * self.in2_features
        self.weight, self.bias = weight_and_bias(
            key, shape, shape[:1], terms, self.use_bias, dtype, weight_init, bias_init
        )

    def __call__(self, x1: Array, x2: Array, *, key: Array | None = None) -> Array:
        """Transform two vectors into one.

        **Arguments**

        - `x1`: shape `(in1_features,)`.
        - `x2`: shape `(in2_features,)`.
        - `key`: ignored.

        **Returns**

        An array of shape `(out_features,)`.

        **Raises**

        - `ValueError`: `x1` or `x2` has another shape. For a batch of vectors, use `jax.vmap`.
        """
        x1 = checked(self, "x1", x1, (self.in1_features,))
        x2 = checked(self, "x2", x2, (self.in2_features,))
        with jax.named_scope("eqx.nn.Bilinear"):
            out = jnp.asarray(self.weight) @ x2 @ x1
            return out if self.bias is None else out + self.bias
