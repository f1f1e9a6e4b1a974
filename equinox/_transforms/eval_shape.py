"""`filter_eval_shape`: what a function would return, without computing it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax

from .._jax_tree import tree_flatten
from .._tree.predicates import is_array
from .conceal import conceal, reveal
from .template import Template
from .wrapped import check_callable

_T = TypeVar("_T")


def filter_eval_shape(fun: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
    """Find out the shapes and dtypes of what a function would return, without computing it. Wraps `jax.eval_shape`.

    **Arguments**

    - `fun`: a function, or any other callable; a Module class, say.
    - `*args`, `**kwargs`: its arguments. A `jax.ShapeDtypeStruct` may stand for any array, those of `fun` included.
        Everything that is no array, Python numbers too, reaches `fun` as it is.

    **Returns**

    What `fun` would return, with a `jax.ShapeDtypeStruct` in place of every array, and everything else as it is.

    **Raises**

    - `TypeError`: `fun` is not callable.

    **Example**
    ```python
    >>> class Model(eqx.Module):
    ...     weight: jax.Array
    ...     size: int
    ...     def __init__(self, size, *, key):
    ...         self.weight = jax.random.normal(key, (size, size))
    ...         self.size = size
    >>> eqx.filter_eval_shape(Model, 1000, key=jax.random.key(0))
    Model(weight=ShapeDtypeStruct(shape=(1000, 1000), dtype=float32), size=1000)

    ```
    """
    check_callable("filter_eval_shape", fun)
    leaves, treedef = tree_flatten((fun, args, kwargs))
    mask = [is_abstract(leaf) for leaf in leaves]
    call = Template(treedef, leaves, mask, None)

    def of_arrays(arrays: Sequence[Any]) -> Any:
        function, args, kwargs = call.fill(arrays)
        return conceal(function(*args, **kwargs), is_array)

    arrays = [leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic]
    output: _T = reveal(jax.eval_shape(of_arrays, arrays))
    return output


def is_abstract(leaf: Any) -> bool:
    """Whether only shape and dtype of a leaf count where a function is traced ahead of time."""
    return is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)
