"""What steers control flow: conditions, numbers of steps, numbers of branches. Each must be a single number."""

import operator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from .._errors import describe
from .._runtime.arrays import is_jax_array
from .difference import array_type


def check_condition(place: str, found: object) -> None:
    """Raise a `TypeError` if what was found in some place is no boolean scalar, nor a number, which counts as one."""
    dtype = _dtype_of_scalar(found)
    if dtype is None or not (dtype == np.bool_ or jnp.issubdtype(dtype, np.number)):
        raise TypeError(f"{place}: found {describe(found)}, expected a boolean scalar. {_advice(found)}".rstrip())


def check_boolean(place: str, found: object) -> None:
    """Raise a `TypeError` if what was found in some place is no boolean scalar."""
    if _dtype_of_scalar(found) != np.bool_:
        raise TypeError(f"{place}: found {describe(found)}, expected a boolean scalar. {_advice(found)}".rstrip())


def check_integer(place: str, found: object) -> None:
    """Raise a `TypeError` if what was found in some place is no scalar of integers."""
    dtype = _dtype_of_scalar(found)
    if dtype is None or not jnp.issubdtype(dtype, np.integer):
        raise TypeError(f"{place}: found {describe(found)}, expected an integer.")


def as_unroll(transformation: str, unroll: Any) -> bool | int:
    """How many steps to make in one iteration; or whether to make them all."""
    if isinstance(unroll, bool):
        return unroll
    place = f"argument `unroll` of `{transformation}`"
    number = as_integer(place, unroll)
    if number < 0:
        raise ValueError(f"{place}: found {number}, expected a boolean, or an integer of at least 1.")
    return number


def as_integer(place: str, found: Any) -> int:
    """What was found in some place, as an integer that is known while tracing."""
    try:
        return operator.index(found)
    except TypeError as error:
        if isinstance(found, Tracer):
            raise error from None  # it explains what a tracer is
        raise TypeError(f"{place}: found {describe(found)}, expected an integer.") from None


def _dtype_of_scalar(found: Any) -> Any:
    if not (is_jax_array(found) or isinstance(found, (bool, int, float, complex))):
        return None
    kind = array_type(found)
    return kind.dtype if kind.shape == () else None


def _advice(found: Any) -> str:
    return "Reduce it with `jnp.any` or `jnp.all`." if is_jax_array(found) and found.ndim > 0 else ""
