"""`DenseGeneral`: a linear layer from several axes to several axes."""

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._initialise import Initialiser, weight_and_bias
from ._normalise import as_shape
from ._spelling import spelled


class DenseGeneral(Module):
    r"""Transforms some axes of an array linearly, and leaves the others as they are.

    It is a [`Linear`][equinox.nn.Linear] of all entries along these axes, at every position along the other ones.

    `weight` has the shape `(*out_shape, *in_shape)`, `bias` the shape `out_shape`. Both start uniform on $[-a, a)$,
    where $1 / a^2$ is the number of entries along the axes that come in (and $a = 1$ if that is 0).

    **Arguments**

    - `in_shape`: the lengths of the axes that come in, an integer for a single one.
    - `out_shape`: the lengths of the axes that come out, an integer for a single one. They come after all others.
    - `axes`: which axes come in, an integer for a single one. By default, the last ones. Negative ones count from the
        end.
    - `use_bias`, or `bias`: whether there is a bias. (`layer.use_bias` is this flag, `layer.bias` the parameter.)
    - `dtype`: of the parameters, as in `Linear`.
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weight and bias instead, as in `Linear`.

    **Raises**

    - `ValueError`: a length is not a non-negative integer; there are not as many `axes` as lengths in `in_shape`;
        `dtype` is an integer one; what `weight_init` or `bias_init` returns has another shape or dtype.

    **Example**

    From each word of a sentence to the queries of 4 heads of size 2, and back:
    ```python
    >>> key1, key2 = jax.random.split(jax.random.key(0))
    >>> split = eqx.nn.DenseGeneral(8, (4, 2), key=key1)
    >>> merge = eqx.nn.DenseGeneral((4, 2), 8, key=key2)
    >>> heads = split(jnp.ones((10, 8)))
    >>> heads.shape, merge(heads).shape
    ((10, 4, 2), (10, 8))

    ```
    """

    weight: Final[Array]
    bias: Final[Array | None]
    in_shape: Final[tuple[int, ...]]
    out_shape: Final[tuple[int, ...]]
    axes: Final[tuple[int, ...]]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        in_shape = field(static=True)
        out_shape = field(static=True)
        axes = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        in_shape: int | Sequence[int],
        out_shape: int | Sequence[int],
        axes: int | Sequence[int] | None = None,
        use_bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.in_shape = as_shape("in_shape", in_shape)
        self.out_shape = as_shape("out_shape", out_shape)
        self.axes = tuple(range(-len(self.in_shape), 0)) if axes is None else _as_axes(axes, len(self.in_shape))
        self.use_bias = bool(spelled(use_bias, bias=bias))
        terms = math.prod(self.in_shape)
        shape = (*self.out_shape, *self.in_shape)
        self.weight, self.bias = weight_and_bias(
            key, shape, self.out_shape, terms, self.use_bias, dtype, weight_init, bias_init
        )

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Transform one example.

        **Arguments**

        - `x`: an array whose `axes` have the lengths `in_shape`.
        - `key`: ignored.

        **Returns**

        An array that has the other axes of `x` first, and then those of `out_shape`.

        **Raises**

        - `ValueError`: `x` does not have these axes, or they have other lengths.
        """
        x = jnp.asarray(x)
        axes = [axis + x.ndim if axis < 0 else axis for axis in self.axes]
        found = [x.shape[axis] if 0 <= axis < x.ndim else None for axis in axes]
        if found != list(self.in_shape) or len(set(axes)) < len(axes):
            raise ValueError(
                f"{locate('x')} of `DenseGeneral` must have the lengths {self.in_shape} along the axes {self.axes}, "
                f"found shape {x.shape}."
            )
        with jax.named_scope("eqx.nn.DenseGeneral"):
            of_weight = range(len(self.out_shape), len(self.out_shape) + len(axes))
            out = jnp.tensordot(x, jnp.asarray(self.weight), (axes, list(of_weight)))
            if self.bias is None:
                return out
            return out + self.bias.reshape((1,) * (x.ndim - len(axes)) + self.out_shape)


def _as_axes(axes: int | Sequence[int], count: int) -> tuple[int, ...]:
    try:
        found = tuple(map(operator.index, axes if isinstance(axes, Sequence) else [axes]))
    except TypeError:
        found = None
    if found is None or len(found) != count:
        raise ValueError(
            f"{locate('axes')} must be {count} integers, as many as there are lengths in `in_shape`, found "
            f"{describe(axes)}."
        )
    return found
