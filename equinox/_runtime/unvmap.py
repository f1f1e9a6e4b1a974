"""Reductions over everything, the axes that `vmap` has hidden included, so that their results are never batched.

A `jax.lax.cond` with a batched predicate runs both of its branches; one whose predicate comes from here does not. A
`jax.lax.while_loop` with a batched predicate carries on with a select in every step; this one does without.

Each is a primitive whose batching rule ignores the batch: what `vmap` adds is one more axis of an operand that is going
to be reduced as a whole.
"""

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.typing import ArrayLike

from .primitive import define_primitive


def unvmap_all(x: ArrayLike) -> jax.Array:
    """Say whether everything in an array is true, for every element of a batch that `vmap` is over.

    **Arguments**

    - `x`: an array of any shape, or a scalar.

    **Returns**

    A boolean scalar, which is not batched.

    **Example**
    ```python
    >>> jax.vmap(unvmap_all, out_axes=None)(jnp.array([False, True]))
    Array(False, dtype=bool)

    ```
    """
    return _bind(unvmap_all_p, jnp.asarray(x).astype(bool))


def unvmap_any(x: ArrayLike) -> jax.Array:
    """Say whether anything in an array is true, for any element of a batch that `vmap` is over.

    **Arguments**

    - `x`: an array of any shape, or a scalar.

    **Returns**

    A boolean scalar, which is not batched.

    **Example**
    ```python
    >>> jax.vmap(unvmap_any, out_axes=None)(jnp.array([False, True]))
    Array(True, dtype=bool)

    ```
    """
    return _bind(unvmap_any_p, jnp.asarray(x).astype(bool))


def unvmap_max(x: ArrayLike) -> jax.Array:
    """Find the greatest number in an array, among all elements of a batch that `vmap` is over. It has no derivative.

    **Arguments**

    - `x`: an array of any shape, or a scalar.

    **Returns**

    A scalar of the same dtype, which is not batched.

    **Example**
    ```python
    >>> jax.vmap(unvmap_max, out_axes=None)(jnp.array([1, 3, 2]))
    Array(3, dtype=int32)

    ```
    """
    return _bind(unvmap_max_p, jnp.asarray(x))


def _bind(primitive: Any, x: jax.Array) -> jax.Array:
    (result,) = primitive.bind(x)
    return result  # type: ignore[no-any-return] # what primitives return has no type


def _define(name: str, reduce: Callable[[Any], Any]) -> Any:
    def compute(x: Any) -> list[Any]:
        return [reduce(x)]

    def abstract_eval(x: Any) -> list[Any]:
        return [ShapedArray((), x.dtype)]

    def batch(operands: Any, axes: Any) -> tuple[Any, list[None]]:
        del axes  # whichever it is: all of them are reduced
        return primitive.bind(*operands), [None]

    primitive = define_primitive(name, impl=compute, abstract_eval=abstract_eval, lower=compute, batch=batch)
    return primitive


unvmap_all_p: Final = _define("unvmap_all", jnp.all)
unvmap_any_p: Final = _define("unvmap_any", jnp.any)
unvmap_max_p: Final = _define("unvmap_max", jnp.max)
