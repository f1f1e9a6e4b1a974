"""`nonbatchable`: an identity that refuses to be vectorised, or makes sure that all elements of a batch are the same.

What is the same for the whole batch, such as the number of a step, sometimes picks up a batch axis on its way. With
`allow_constant_across_batch` that is undone: the rule for `vmap` takes the first element for all, and checks the others
when the program runs.
"""

from typing import Any, Final, TypeVar

import jax.numpy as jnp

from .._runtime.arrays import map_arrays
from .._runtime.error_if import error_if
from .._runtime.primitive import define_primitive

_T = TypeVar("_T")


def nonbatchable(
    x: _T, *, name: str | None = None, msg: str | None = None, allow_constant_across_batch: bool = False
) -> _T:
    """Raise an error if anything here is batched by `jax.vmap`. This has no derivative.

    **Arguments**

    - `x`: any PyTree. What is not an array passes by.
    - `name`: what cannot be batched, for the error message.
    - `msg`: the whole error message, instead.
    - `allow_constant_across_batch`: accept a batch of which all elements are equal.

    **Returns**

    `x`, no longer batched.

    **Raises**

    - `ValueError`, while the function is traced: an array in `x` is batched.
    - `EquinoxRuntimeError`, as [`error_if`][equinox.error_if], with `allow_constant_across_batch`: the elements of a
      batch differ.

    **Example**
    ```python
    >>> jax.vmap(lambda x: x * nonbatchable(2.0))(jnp.arange(3.0))
    Array([0., 2., 4.], dtype=float32)
    >>> jax.vmap(nonbatchable)(jnp.arange(3.0))
    Traceback (most recent call last):
        ...
    ValueError: This operation cannot be batched...

    ```
    """
    if msg is None:
        msg = (
            f"{name or 'This operation'} cannot be batched, but `jax.vmap` gave it a batch. It must not depend on the "
            "arguments that are mapped over."
        )
    allow = allow_constant_across_batch

    def bind(arrays: list[Any]) -> list[Any]:
        return [nonbatchable_p.bind(array, msg=msg, allow_constant_across_batch=allow)[0] for array in arrays]

    return map_arrays(bind, x)


def _identity(array: Any, *, msg: str, allow_constant_across_batch: bool) -> list[Any]:
    del msg, allow_constant_across_batch
    return [array]


def _batch(arrays: Any, axes: Any, *, msg: str, allow_constant_across_batch: bool) -> tuple[Any, list[None]]:
    if not allow_constant_across_batch:
        raise ValueError(msg)
    batch = jnp.moveaxis(arrays[0], axes[0], 0)
    first = batch[0]
    differs = (batch != first) & ((batch == batch) | (first == first))  # a NaN is like any other
    first = error_if(first, jnp.any(differs), msg)
    # There may be another batch around this one.
    return nonbatchable_p.bind(first, msg=msg, allow_constant_across_batch=True), [None]


nonbatchable_p: Final = define_primitive(
    "nonbatchable", impl=_identity, abstract_eval=_identity, lower=_identity, batch=_batch
)
