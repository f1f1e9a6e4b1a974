"""`eval_empty` and `eval_zero`: arrays like those that a function would return, without calling it."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from .._errors import describe
from .._jax_tree import tree_flatten_with_path
from .._transforms.arguments import name_of
from .._transforms.axes import locate_output
from .._transforms.eval_shape import filter_eval_shape

_T = TypeVar("_T")
# JAX does not type these in full.
_empty = cast(Any, jnp.empty)
_zeros = cast(Any, jnp.zeros)


def eval_empty(fn: Callable[..., _T], *inputs: Any) -> _T:
    """Make arrays like those that a function would return, with any values.

    **Arguments**

    - `fn`: a function all of whose outputs are arrays. It is traced, not computed.
    - `*inputs`: its arguments.

    **Returns**

    A PyTree of arrays.

    **Raises**

    - `ValueError`: an output is no array.

    **Example**
    ```python
    >>> eval_empty(lambda x: {"square": x**2}, jnp.ones(3))["square"].shape
    (3,)

    ```
    """
    return _fill(_empty, fn, inputs)


def eval_zero(fn: Callable[..., _T], *inputs: Any) -> _T:
    """Make arrays like those that a function would return, filled with zeros.

    **Arguments**

    - `fn`: a function all of whose outputs are arrays. It is traced, not computed.
    - `*inputs`: its arguments.

    **Returns**

    A PyTree of arrays.

    **Raises**

    - `ValueError`: an output is no array.

    **Example**
    ```python
    >>> eval_zero(lambda x: {"square": x**2}, jnp.ones(3))
    {'square': Array([0., 0., 0.], dtype=float32)}

    ```
    """
    return _fill(_zeros, fn, inputs)


def _fill(make: Callable[..., jax.Array], fn: Callable[..., _T], inputs: tuple[Any, ...]) -> _T:
    leaves, treedef = tree_flatten_with_path(filter_eval_shape(fn, *inputs))
    for path, leaf in leaves:
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            raise ValueError(f"`{name_of(fn)}` must return arrays only: {locate_output(path)} is {describe(leaf)}.")
    return cast(_T, treedef.unflatten([make(leaf.shape, leaf.dtype) for _, leaf in leaves]))
