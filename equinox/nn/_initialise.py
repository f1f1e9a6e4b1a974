r"""The numbers that parameters start from: drawn uniformly, from a narrower interval the more inputs a layer has.

With the limit $1 / \sqrt{\text{fan in}}$ the outputs of a linear layer start with the same variance for any number of
inputs. It is what PyTorch uses for its linear, convolutional and recurrent layers. A user may give another function, an
`Initialiser`, which then makes parameters from the same keys.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate

#: From a PRNG key, a shape and a dtype to an array.
Initialiser: TypeAlias = Callable[[Array, tuple[int, ...], Any], Array]


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


def initialised(
    argument: str, initialiser: Initialiser, key: Array, shape: tuple[int, ...], dtype: DTypeLike | None
) -> Array:
    """Let a user's function make the initial value of a parameter.

    **Arguments**

    - `argument`: as what the function was given, for errors.
    - `initialiser`: the function.
    - `key`, `shape`, `dtype`: as in `uniform`.

    **Raises**

    - `TypeError`: `initialiser` is no function, or returns no array.
    - `ValueError`: the array is of another shape or dtype; `dtype` is an integer one or `bool`.
    """
    if not callable(cast(object, initialiser)):
        expected = "a function of a PRNG key, a shape and a dtype"
        raise TypeError(f"{locate(argument)} must be {expected}, found {describe(initialiser)}.")
    chosen = parameter_dtype(dtype)
    value = cast(object, initialiser(key, shape, chosen))
    if not isinstance(value, (Array, np.ndarray)):
        message = f"{locate(argument)}: the function must return an array, found {describe(value)}."
        if callable(value):
            message += " Functions such as `jax.nn.initializers.he_normal` make initialisers: call it, `he_normal()`."
        raise TypeError(message)
    array = jnp.asarray(value)
    if array.shape != shape or array.dtype != chosen:
        raise ValueError(
            f"{locate(argument)}: the function must return an array of the shape {shape} and the dtype {chosen}, which "
            f"are its arguments, found {describe(array)}."
        )
    return array.astype(chosen)  # so that it is not weakly typed


def initial_value(
    argument: str,
    initialiser: Initialiser | None,
    key: Array,
    shape: tuple[int, ...],
    fan_in: int,
    dtype: DTypeLike | None,
) -> Array:
    """Make the initial value of a parameter by a user's function if there is one, or else as `uniform` does."""
    if initialiser is None:
        return uniform(key, shape, fan_in, dtype)
    return initialised(argument, initialiser, key, shape, dtype)


def weight_and_bias(
    key: Array,
    weight_shape: tuple[int, ...],
    bias_shape: tuple[int, ...],
    fan_in: int,
    use_bias: bool,
    dtype: DTypeLike | None,
    weight_init: Initialiser | None,
    bias_init: Initialiser | None,
) -> tuple[Array, Array | None]:
    """Make the initial values of a weight and, if it is wanted, of a bias. The weight is the same in either case."""
    weight_key, bias_key = jax.random.split(key)
    weight = initial_value("weight_init", weight_init, weight_key, weight_shape, fan_in, dtype)
    return weight, initial_value("bias_init", bias_init, bias_key, bias_shape, fan_in, dtype) if use_bias else None


def out_first(initialiser: Initialiser, /) -> Initialiser:
    """Make an initialiser for weights of shape `(out, in, ...)` from one for weights of shape `(..., in, out)`.

    The latter is the order of axes that `jax.nn.initializers` expect, and that says to them how many inputs and outputs
    a layer has; the former is the order in the layers of `equinox.nn`. For an array with fewer than two axes there is
    nothing to change.

    **Arguments**

    - `initialiser`: a function of a PRNG key, a shape and a dtype that returns an array.

    **Returns**

    A function of the same arguments, to be given to a layer as `weight_init`.

    **Example**
    ```python
    >>> he_normal = eqx.nn.out_first(jax.nn.initializers.he_normal())
    >>> linear = eqx.nn.Linear(1000, 20, key=jax.random.key(0), weight_init=he_normal)
    >>> conv = eqx.nn.Conv2d(3, 8, kernel_size=5, key=jax.random.key(0), weight_init=he_normal)
    >>> jnp.std(linear.weight * jnp.sqrt(1000 / 2)).round(1), jnp.std(conv.weight * jnp.sqrt(3 * 5 * 5 / 2)).round(1)
    (Array(1., dtype=float32), Array(1., dtype=float32))

    ```
    """

    def make(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
        if len(shape) < 2:
            return initialiser(key, shape, dtype)
        out_axis, in_axis, *others = shape
        weight = initialiser(key, (*others, in_axis, out_axis), dtype)
        # What is no array is a mistake, which the layer reports.
        return jnp.moveaxis(weight, (-1, -2), (0, 1)) if hasattr(weight, "ndim") else weight

    return make
