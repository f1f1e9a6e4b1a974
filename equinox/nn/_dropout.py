"""`Dropout`: a layer that forgets a random part of its input while a model is trained."""

from typing import Final, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from .._errors import locate
from .._module import Module
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

    ```
    """

    p: Final[float | Array]
    inference: Final[bool]

    def __init__(self, p: float | Array = 0.5, deterministic: bool = False, *, inference: bool | None = None) -> None:
        if isinstance(p, (int, float)):
            if not 0 <= p <= 1:
                raise ValueError(f"{locate('p')} must be a probability, a number between 0 and 1, found {p}.")
            p = float(p)
        self.p = p
        self.inference = spelled(deterministic, inference=inference)

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
        - `ValueError`: `deterministic` and `inference` are both given and differ.
        """
        flag = spelled(self.inference, deterministic=deterministic, inference=inference)
        # `jitf(..., filter_fn=is_array_like)` makes the flag an array whose value is not known yet.
        is_traced = isinstance(cast(object, flag), Tracer)
        is_number = isinstance(self.p, (int, float))
        if (is_number and self.p == 0) or (not is_traced and flag):
            return x
        if key is None:
            message = "`Dropout` was called without a `key`, which it needs unless it is known to drop nothing."
            if is_traced:
                message += " It is not known because the flag is traced, as some filters do with booleans."
            raise RuntimeError(f"{message} Pass `key=...`, or `inference=True` if nothing shall be dropped.")
        with jax.named_scope("eqx.nn.Dropout"):
            x = jnp.asarray(x)
            if not jnp.issubdtype(x.dtype, jnp.inexact):
                x = x.astype(default_dtype())
            keep = 1 - (self.p if is_number else jax.lax.stop_gradient(self.p))
            mask = jax.random.bernoulli(key, keep, x.shape)
            # Where nothing is kept, dividing by zero would do no harm to the result, but make the gradient nan.
            divisor = (keep or 1.0) if is_number else jnp.where(keep == 0, 1, keep).astype(x.dtype)
            dropped = jnp.where(mask, x / divisor, 0)
            return jnp.where(flag, x, dropped) if is_traced else dropped
