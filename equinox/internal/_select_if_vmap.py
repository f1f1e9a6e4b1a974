"""Choose between two values, but only where `vmap` has made it a choice.

The body of a loop runs only while the loop's condition holds, so that its result is the next state and nothing has to
be chosen. That changes when the loop is vectorised and its condition holds for some elements of the batch only: the
body then runs for all of them, and those that have finished must keep their old state. Which of the two it is becomes
known long after the loop was traced. This primitive waits: it is its first value, until `vmap` gives it a condition
with a batch axis, and an ordinary selection from then on.
"""

from typing import Any, Final, cast

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from .._runtime.primitive import define_primitive

#: JAX does not type it.
_instantiate = cast(Any, ad.instantiate_zeros)


def select_if_vmap(pred: Any, x: Any, y: Any) -> Any:
    """Return `x`; where `vmap` is over `pred`, `x` or `y`, as `pred` says. `x` and `y` have one shape and dtype."""
    (result,) = select_if_vmap_p.bind(pred, x, y)
    return result


def _first(pred: Any, x: Any, y: Any) -> list[Any]:
    del pred, y
    return [x]


def _abstract_eval(pred: Any, x: Any, y: Any) -> list[Any]:
    del pred
    return [y if x.weak_type else x]  # where neither is weak, or both are, they are the same


def _batch(operands: Any, axes: Any) -> tuple[list[Any], list[int]]:
    pred_axis, *value_axes = axes
    size = next(x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None)
    if pred_axis is not None:
        return [jax.vmap(jnp.where, axes)(*operands)], [0]
    values = [
        jnp.broadcast_to(x, (size, *jnp.shape(x))) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(operands[1:], value_axes, strict=True)
    ]
    return select_if_vmap_p.bind(operands[0], *values), [0]


def _jvp(primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
    pred, *values = primals
    result = select_if_vmap(pred, *values)
    if all(type(tangent) is ad.Zero for tangent in tangents[1:]):
        return [result], [ad.Zero(jax.typeof(result).to_tangent_aval())]
    return [result], [select_if_vmap(pred, *map(_instantiate, tangents[1:]))]


def _transpose(cotangents: Any, pred: Any, x: Any, y: Any) -> list[Any]:
    (cotangent,) = cotangents
    if type(cotangent) is ad.Zero:
        return [None, None, None]
    zero = jnp.zeros_like(cotangent)
    return [
        None,
        select_if_vmap(pred, cotangent, zero) if type(x) is ad.UndefinedPrimal else None,
        select_if_vmap(pred, zero, cotangent) if type(y) is ad.UndefinedPrimal else None,
    ]


select_if_vmap_p: Final = define_primitive(
    "select_if_vmap",
    impl=_first,
    abstract_eval=_abstract_eval,
    lower=_first,
    batch=_batch,
    jvp=_jvp,
    transpose=_transpose,
)
