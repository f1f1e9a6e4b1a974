"""`cached_filter_eval_shape`: what a function would return, found out once for all arguments that look the same."""

import itertools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax

from .._errors import describe, is_hashable
from .._jax_tree import tree_flatten
from .._transforms.cache import ANCHOR, Bounded, find_anchor, shared
from .._transforms.conceal import static_key
from .._transforms.eval_shape import filter_eval_shape, is_abstract
from .._transforms.history import signature_of

_T = TypeVar("_T")
_Struct = cast(Any, jax.ShapeDtypeStruct)  # JAX does not type it


class _Shapes:
    """What one function returned, for each kind of arguments."""

    def __init__(self) -> None:
        self.of_calls: Bounded[Any] = Bounded()

    def clear(self) -> None:
        self.of_calls.clear()


def cached_filter_eval_shape(fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
    """Do what [`filter_eval_shape`][equinox.filter_eval_shape] does, but remember the result.

    **Arguments**

    - `fn`, `*args`, `**kwargs`: as for `filter_eval_shape`. Of an array only shape and dtype count, and not whether its
      dtype is weak. What is no array must be hashable.

    **Returns**

    What `fn` would return, with a `jax.ShapeDtypeStruct` in place of every array.

    **Raises**

    - `TypeError`: something that is no array is not hashable.

    **Example**
    ```python
    >>> cached_filter_eval_shape(jnp.outer, jnp.ones(2), jnp.ones(3))
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)

    ```
    """
    leaves, treedef = tree_flatten((fn, args, kwargs))
    mask = [is_abstract(leaf) for leaf in leaves]
    structs = [_Struct(leaf.shape, leaf.dtype) for leaf in itertools.compress(leaves, mask)]
    anchor = find_anchor(leaf for leaf in tree_flatten(fn)[0] if not is_abstract(leaf))
    rest = [
        None if flag else ANCHOR if leaf is anchor else static_key(leaf)
        for leaf, flag in zip(leaves, mask, strict=True)
    ]
    key = treedef, *rest, signature_of(structs)
    if not is_hashable(key):
        blame = next(leaf for leaf, flag in zip(leaves, mask, strict=True) if not flag and not is_hashable(leaf))
        raise TypeError(
            f"unhashable type: {type(blame).__name__!r}. `cached_filter_eval_shape` was called with {describe(blame)}, "
            "but can only remember what is hashable. Use `filter_eval_shape`, or pass an array."
        )
    shapes: Bounded[Any] = shared(anchor, cached_filter_eval_shape, _Shapes).of_calls
    if key in shapes:
        return cast(_T, shapes[key])
    fresh = iter(structs)
    function, args, kwargs = treedef.unflatten(
        next(fresh) if flag else leaf for leaf, flag in zip(leaves, mask, strict=True)
    )
    return cast(_T, shapes.add(key, filter_eval_shape(function, *args, **kwargs)))
