"""A runtime check as a primitive of JAX: it hands on arrays, provided that a condition does not hold.

Being a primitive is what lets it behave well under every transformation. Run eagerly, it raises an ordinary exception.
Under `vmap`, it keeps the conditions of the whole batch together, so that it remains a single conditional and knows
which elements failed. In derivatives, it is applied to primals and leaves tangents alone. Compiled, it becomes a
conditional that calls back into Python if the check has failed.
"""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from .dependency import TOKEN, after
from .failures import Failure, hand_over, report
from .guard import CHECK_PRIMITIVES
from .primitive import Spread, define_primitive
from .stack import Stack

#: How many elements of a batch are named in one message.
_MAX_ENTRIES: Final = 100

_log: Final = logging.getLogger("equinox")


@dataclasses.dataclass(frozen=True, eq=False)
class Check:
    """What is the same whenever a check is run."""

    messages: tuple[str, ...]
    #: What to do if it fails; `"print"` is to print the message, and change nothing.
    on_failure: Literal["raise", "nan", "print"]
    stack: Stack = dataclasses.field(repr=False)

    def failure(self, failed: Any, index: Any) -> Failure:
        """Describe a failure: of one check, or of those elements of a batch for which `failed` is true."""
        failed, index = np.asarray(failed), np.asarray(index)
        if failed.ndim == 0:
            return Failure(self._message(index.item()), self.stack)
        places = np.argwhere(failed).tolist()
        entries = [
            f"Batch index {tuple(place)} had error:\n{self._message(index[tuple(place)].item())}"
            for place in places[:_MAX_ENTRIES]
        ]
        if len(places) > _MAX_ENTRIES:
            entries.append(f"{len(places) - _MAX_ENTRIES} more batch indices had errors.")
        return Failure("\n\n".join(entries), self.stack)

    def _message(self, index: int) -> str:
        if 0 <= index < len(self.messages):
            return self.messages[index]
        return (
            f"A runtime check failed, but which of its {len(self.messages)} messages applies is unknown: `index` is "
            f"{index}, and must be at least 0 and less than `len(msgs)`, {len(self.messages)}."
        )

    def respond(self, spread: Spread, failed: Any, index: Any, *_: Any) -> np.ndarray[Any, Any]:
        """Called from compiled programs when the check has failed."""
        failure = self.failure(failed, index)
        if self.on_failure == "print":
            print(failure.message)  # noqa: T201 # this is what it is for
            return np.zeros(TOKEN.shape, TOKEN.dtype)
        if spread is Spread.NOT:
            raise report(failure)
        if not hand_over(self, failure):
            # The call is one of plain `jax.jit`. What the compiler splits, it stops only together with the process.
            if spread is Spread.BY_HAND:
                raise report(failure)
            _log.error(
                "A runtime check failed in a program on several devices, which goes on with NaNs; with "
                "`equinox.filter_jit` instead of `jax.jit`, it raises an error.\n\n%s",
                failure.message,
            )
        return np.full(TOKEN.shape, np.nan, TOKEN.dtype)


def _lower(failed: Any, index: Any, *arrays: Any, check: Check, spread: Spread) -> list[Any]:
    """The check as a part of compiled programs."""
    is_failed = jnp.any(failed)
    if check.on_failure == "nan":
        return [jnp.where(is_failed, meaningless(array), array) for array in arrays]
    # One number of each array is enough for the check to wait until the array is there.
    probes = [_probe(array) for array in arrays if array.size > 0]
    operands = (failed, index, *probes)
    token = cast(Any, jax.lax.cond(is_failed, _call_back(check, spread), _go_on, *operands))
    checked = [after(token, array) for array in arrays]
    if spread is Spread.NOT:
        return checked
    # There, a check may have failed without stopping the program.
    return [jnp.where(jnp.isnan(token), meaningless(array), array) for array in checked]


def _call_back(check: Check, spread: Spread) -> Callable[..., Any]:
    def call_back(*operands: Any) -> Any:
        return jax.pure_callback(functools.partial(check.respond, spread), TOKEN, *operands)

    return call_back


def _go_on(*operands: Any) -> Any:
    del operands
    return jnp.zeros(TOKEN.shape, TOKEN.dtype)


def _probe(array: Any) -> Any:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    # An axis that is explicitly split over devices can only be cut to as many numbers as it has parts.
    sharding = jax.typeof(array).sharding
    counts = [_number_of_parts(sharding.mesh, names) for names in sharding.spec]
    first = jax.lax.slice(array, (0,) * array.ndim, counts)
    return jnp.sum((first.real if jnp.issubdtype(first.dtype, jnp.complexfloating) else first).astype(jnp.float32))


def _number_of_parts(mesh: Any, names: str | tuple[str, ...] | None) -> int:
    if names is None:
        return 1
    return math.prod(mesh.shape[name] for name in ((names,) if isinstance(names, str) else names))


def meaningless(array: Any) -> Any:
    """An array like this one that holds no information: NaNs, or the greatest integer, or `True`."""
    dtype = array.dtype
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        data = jax.random.key_data(array)
        filled = jnp.full_like(data, _greatest(data.dtype))
        return cast(Any, jax.random.wrap_key_data(filled, impl=jax.random.key_impl(array)))
    if jnp.issubdtype(dtype, jnp.inexact):
        return jnp.full_like(array, jnp.nan)
    return jnp.full_like(array, True if dtype == np.bool_ else _greatest(dtype))


def _greatest(dtype: Any) -> Any:
    return cast(Any, jnp.iinfo(dtype).max)  # type: ignore[no-untyped-call] # it has no annotations


def _impl(failed: Any, index: Any, *arrays: Any, check: Check) -> Sequence[Any]:
    if not np.any(failed):
        return arrays
    if check.on_failure == "nan":
        return [meaningless(array) for array in arrays]
    failure = check.failure(failed, index)
    if check.on_failure == "raise":
        raise failure.error() from None
    print(failure.message)  # noqa: T201 # this is what it is for
    return arrays


def _abstract_eval(failed: Any, index: Any, *arrays: Any, check: Check) -> Sequence[Any]:
    del failed, index, check
    return arrays


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, check: Check) -> tuple[Any, Any]:
    return check_p.bind(*primals, check=check), list(tangents[2:])


def _batch(operands: Sequence[Any], axes: Sequence[Any], *, check: Check) -> tuple[Any, Any]:
    failed, index, *arrays = operands
    size = next((x.shape[axis] for x, axis in zip((failed, index), axes, strict=False) if axis is not None), None)
    if size is not None:
        # The outermost `vmap` comes here last, and its axis becomes the first one.
        failed, index = (
            jnp.broadcast_to(x, (size, *jnp.shape(x))) if axis is None else jnp.moveaxis(x, axis, 0)
            for x, axis in zip((failed, index), axes, strict=False)
        )
    return check_p.bind(failed, index, *arrays, check=check), list(axes[2:])


check_p: Final = define_primitive(
    "runtime_check",
    impl=_impl,
    abstract_eval=_abstract_eval,
    lower=_lower,
    lower_by_spread=True,
    batch=_batch,
    jvp=_jvp,
)
CHECK_PRIMITIVES.add(check_p)
