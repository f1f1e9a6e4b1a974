"""`field`: what can be said about one attribute of a Module beyond its type."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from .._errors import first_user_frame

_A = TypeVar("_A")
_T = TypeVar("_T")


@overload
def field(
    *,
    converter: Callable[[_A], _T],
    default: _A,
    static: bool = ...,
    init: bool = ...,
    repr: bool = ...,
    hash: bool | None = ...,
    compare: bool = ...,
    metadata: Mapping[Any, Any] | None = ...,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    converter: Callable[[_A], _T],
    default_factory: Callable[[], _A],
    static: bool = ...,
    init: bool = ...,
    repr: bool = ...,
    hash: bool | None = ...,
    compare: bool = ...,
    metadata: Mapping[Any, Any] | None = ...,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    converter: Callable[[_A], _T],
    static: bool = ...,
    init: bool = ...,
    repr: bool = ...,
    hash: bool | None = ...,
    compare: bool = ...,
    metadata: Mapping[Any, Any] | None = ...,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    converter: None = ...,
    default: _T,
    static: bool = ...,
    init: bool = ...,
    repr: bool = ...,
    hash: bool | None = ...,
    compare: bool = ...,
    metadata: Mapping[Any, Any] | None = ...,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    converter: None = ...,
    default_factory: Callable[[], _T],
    static: bool = ...,
    init: bool = ...,
    repr: bool = ...,
    hash: bool | None = ...,
    compare: bool = ...,
    metadata: Mapping[Any, Any] | None = ...,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    converter: None = ...,
    static: bool = ...,
    init: bool = ...,
    repr: bool = ...,
    hash: bool | None = ...,
    compare: bool = ...,
    metadata: Mapping[Any, Any] | None = ...,
    kw_only: bool = ...,
) -> Any: ...
def field(
    *,
    converter: Callable[[Any], Any] | None = None,
    static: bool = False,
    metadata: Mapping[Any, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Describe an attribute of a [`Module`][equinox.Module], as `dataclasses.field` does, with two options more.

    **Arguments**

    - `converter`: called once with the value of the attribute at the end of construction; its result is stored instead.
      Inside a handwritten `__init__` the value is still the one assigned there.
    - `static`: the value becomes part of the PyTree's structure instead of one of its children. It should be hashable
      and comparable; never an array.
    - `metadata`, `**kwargs`: as in `dataclasses.field`: `default`, `default_factory`, `init`, `repr`, `kw_only`, …

    **Returns**

    A dataclass field, to be assigned in the class body.

    **Raises**

    - `ValueError`: `metadata` already holds one of the keys `"converter"` and `"static"`, which this function writes.

    **Example**
    ```python
    >>> import jax, jax.numpy as jnp
    >>> class Scale(eqx.Module):
    ...     factor: jax.Array = eqx.field(converter=jnp.asarray)
    ...     axis: int = eqx.field(static=True, default=-1)
    >>> jax.tree.leaves(Scale(2.0))
    [Array(2., dtype=float32, weak_type=True)]

    ```
    """
    extended = dict(metadata or {})
    for key in ("converter", "static"):
        if key in extended:
            raise ValueError(
                f"argument `metadata` of `field` already has the key {key!r}. That key is written by `field` itself: "
                f"pass `{key}=...` instead."
            )
    if converter is not None:
        extended["converter"] = converter
    if static:
        extended["static"] = True
    return dataclasses.field(metadata=extended, **kwargs)


def static_field(**kwargs: Any) -> Any:
    """Old spelling of `field(static=True, ...)`; deprecated.

    **Arguments**

    - `**kwargs`: passed to [`field`][equinox.field].
    """
    warnings.warn("`static_field(...)` is deprecated: write `field(static=True, ...)`.", stacklevel=first_user_frame())
    return field(static=True, **kwargs)
