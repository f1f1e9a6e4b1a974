"""`Dropout`: a layer that forgets a random part of its input while a model is trained."""

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from .._errors import locate
from .._module import Module, field
from ._initialise import default_dtype
from ._spelling import spelled


class Dropout(Module):
    """Sets each entry of its input to zero with probability `p`, and divides the others by $1 - p$.

    The expected output is the input. At inference time the output is the input itself.

    Srivastava et al., *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*, JMLR 15, 2014 (in the
    "inverted" form, which has nothing left to do at inference time).

    **Arguments**

    - `p`: the probability of dropping an entry, between 0 and 1. It may be a JAX scalar; no gradient flows to it.
    - `deterministic`, or `inference`: whether to return the input unchanged. It is a leaf named `inference`, and can be
      changed with [`tree_at`][equinox.tree_at]. `dropout.deterministic` is the same leaf.
    - `broadcast_axes`: axes along which entries are dropped together, or none of them. With the spatial axes, for
        instance `(1, 2)` for an image of shape `(channels, height, width)`, whole channels are dropped (Tompson et al.,
        *Efficient Object Localization Using Convolutional Networks*, CVPR 2015).

    **Raises**

    - `ValueError`: `p` is a number outside $[0, 1]$.

    **Example**
    ```python
    >>> dropout = eqx.nn.Dropout(p=0.5)
    >>> y = dropout(jnp.ones(1000), key=jax.random.key(0))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    >>> dropout(jnp.ones(2), deterministic=True)
    Array([1., 1.], dtype=float32)
    >>> of_channels = eqx.nn.Dropout(p=0.5, broadcast_axes=[1])
    >>> of_channels(jnp.ones((4, 3)), key=jax.random.key(1))
    Array([[2., 2., 2.],
           [0., 0., 0.],
           [2., 2., 2.],
           [2., 2., 2.]], dtype=float32)

    ```
    """

    p: Final[float | Array]
    inference: Final[bool]
    broadcast_axes: Final[tuple[int, ...]]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        broadcast_axes = field(static=True, default=())

    def __init__(
        self,
        p: float | Array = 0.5,
        deterministic: bool = False,
        *,
        inference: bool | None = None,
        broadcast_axes: Sequence[int] = (),
    ) -> None:
        self.p = as_probability(p)
        self.inference = spelled(deterministic, inference=inference)
        self.broadcast_axes = tuple(operator.index(axis) for axis in broadcast_axes)

    @property
    def deterministic(self) -> bool:
        """The leaf `inference` by its other name."""
        return self.inference

    def __call__(
        self, x: Array, *, key: Array | None = None, deterministic: bool | None = None, inference: bool | None = None
    ) -> Array:
        """Drop a random part of `x`.

        **Arguments**

        - `x`: an array of any shape.
        - `key`: a PRNG key, which decides (with `p` and the shape of `x`) which entries are dropped. Not needed at
            inference time or if `p` is the number 0.
        - `deterministic`, or `inference`: if given, decides instead of the layer's own flag.

        **Returns**

        `x` itself at inference time or if `p` is the number 0. Otherwise an array of the shape and dtype of `x`, or of
        the default floating-point dtype if `x` is of an integer one.

        **Raises**

        - `RuntimeError`: `key` is needed and missing.
        - `ValueError`: `deterministic` and `inference` are both given and differ; `x` lacks one of `broadcast_axes`.
        """
        flag = spelled(self.inference, deterministic=deterministic, inference=inference)
        return drop(self, x, self._mask_shape, flag, key)

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        shape = list(x.shape)
        for axis in self.broadcast_axes:
            if not -x.ndim <= axis < x.ndim:
                raise ValueError(
                    f"{locate('x')} of `Dropout` must have the axes `broadcast_axes={self.broadcast_axes}`, found "
                    f"shape {x.shape}."
                )
            shape[axis] = 1
        return tuple(shape)


class Dropping(Protocol):
    """A layer that drops something with a probability."""

    @property
    def p(self) -> float | Array: ...


def as_probability(p: float | Array) -> float | Array:
    """Return a probability as a `float`, unless it is an array.

    **Raises**

    - `ValueError`: it is a number outside $[0, 1]$.
    """
    if not isinstance(p, (int, float)):
        return p
    if not 0 <= p <= 1:
        raise ValueError(f"{locate('p')} must be a probability, a number between 0 and 1, found {p}.")
    return float(p)


def drop(
    layer: Dropping, x: Array, mask_shape: Callable[[Array], tuple[int, ...]], flag: bool, key: Array | None
) -> Array:
    """Set parts of `x` to zero at random, and divide the others by the probability of keeping them.

    **Arguments**

    - `layer`: has the probability `p`.
    - `x`: an array of any shape.
    - `mask_shape`: from `x` to the shape of the mask, which is broadcast to that of `x`.
    - `flag`: whether to return `x` unchanged. It may be traced.
    - `key`: a PRNG key, which may be missing if nothing is dropped.
    """
    name = type(layer).__name__
    p = layer.p
    # `jitf(..., filter_fn=is_array_like)` makes the flag an array whose value is not known yet.
    is_traced = isinstance(cast(object, flag), Tracer)
    is_number = isinstance(p, (int, float))
    if (is_number and p == 0) or (not is_traced and flag):
        return x
    if key is None:
        message = f"`{name}` was called without a `key`, which it needs unless it is known to drop nothing."
        if is_traced:
            message += " It is not known because the flag is traced, as some filters do with booleans."
        raise RuntimeError(f"{message} Pass `key=...`, or `inference=True` if nothing shall be dropped.")
    with jax.named_scope(f"eqx.nn.{name}"):
        x = jnp.asarray(x)
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            x = x.astype(default_dtype())
        keep = 1 - (p if is_number else jax.lax.stop_gradient(p))
        mask = jnp.broadcast_to(jax.random.bernoulli(key, keep, mask_shape(x)), x.shape)
        # Where nothing is kept, dividing by zero would do no harm to the result, but make the gradient nan.
        divisor = (keep or 1.0) if is_number else jnp.where(keep == 0, 1, keep).astype(x.dtype)
        dropped = jnp.where(mask, x / divisor, 0)
        return jnp.where(flag, x, dropped) if is_traced else dropped
