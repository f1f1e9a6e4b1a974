"""A reduction over everything, the axes that `vmap` has hidden included, so that its result is never batched.

A `jax.lax.cond` with a batched predicate runs both of its branches; one whose predicate comes from here does not.
"""

from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.typing import ArrayLike

from .primitive import define_primitive


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
    (result,) = unvmap_any_p.bind(jnp.asarray(x).astype(bool))
    return result  # type: ignore[no-any-return] # what primitives return has no type


def _any(x: Any) -> list[Any]:
    return [jnp.any(x)]


def _abstract_eval(x: Any) -> list[Any]:
    del x
    return [ShapedArray((), jnp.dtype(bool))]


def _batch(operands: Any, axes: Any) -> tuple[Any, list[None]]:
    del axes  # whichever it is: all of them are reduced
    return unvmap_any_p.bind(*operands), [None]


unvmap_any_p: Final = define_primitive("unvmap_any", impl=_any, abstract_eval=_abstract_eval, lower=_any, batch=_batch)
