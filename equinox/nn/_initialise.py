r"""The numbers that parameters start from: drawn uniformly, from a narrower interval the more inputs a layer has.

With the limit $1 / \sqrt{\text{fan in}}$ the outputs of a linear layer start with the same variance for any number of
inputs. It is what PyTorch uses for its linear, convolutional and recurrent layers.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from .._errors import locate


def default_dtype() -> Any:
    """The dtype of parameters for which none is given: `float64` if `jax_enable_x64` is on at this moment."""
    return jax.dtypes.canonicalize_dtype(np.float64)


def parameter_dtype(dtype: DTypeLike | None) -> Any:
    """The dtype of parameters: the one that was asked for, or else that of `default_dtype`.

    **Raises**

    - `ValueError`: `dtype` is an integer one or `bool`.
    """
    chosen = default_dtype() if dtype is None else jnp.dtype(dtype)
    if not jnp.issubdtype(chosen, jnp.inexact):
        raise ValueError(f"{locate('dtype')} must be a floating-point or complex dtype, found {chosen}.")
    return chosen


def uniform(key: Array, shape: tuple[int, ...], fan_in: int, dtype: DTypeLike | None) -> Array:
    r"""Draw the initial value of a parameter.

    **Arguments**

    - `key`: a PRNG key.
    - `shape`: the shape of the parameter.
    - `fan_in`: the number of inputs that are summed up.
    - `dtype`: floating-point or complex, by default that of `default_dtype`.

    **Returns**

    An array whose entries, or whose real and imaginary parts, are uniform on $[-a, a)$ with
    $a = 1 / \sqrt{\text{fan in}}$, and with $a = 1$ if there are no inputs.

    **Raises**

    - `ValueError`: `dtype` is an integer one or `bool`.
    """
    chosen = parameter_dtype(dtype)
    limit = 1 / math.sqrt(fan_in) if fan_in > 0 else 1.0
    if not jnp.issubdtype(chosen, jnp.complexfloating):
        return jax.random.uniform(key, shape, chosen, minval=-limit, maxval=limit)
    part_dtype = np.finfo(chosen).dtype
    real, imaginary = (
        jax.random.uniform(part_key, shape, part_dtype, minval=-limit, maxval=limit)
        for part_key in jax.random.split(key)
    )
    return jax.lax.complex(real, imaginary)
