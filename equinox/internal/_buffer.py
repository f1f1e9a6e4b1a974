"""Buffers: arrays in the carry of a loop, each place of which is written once.

A loop that fills an array bit by bit, such as the steps of a differential equation, must not copy the array in each
step. Copies come from three directions, and the promise to write each place once, and to read only what was written,
closes all of them:

- Under `vmap`, elements of the batch that have finished must not change. Not the array is selected, but what is
  written to it: the new value, or else the one that was there.
- In reverse mode, steps are run again. They need not find the array as it was then, for what they read has not changed
  since. So no checkpoint holds it, and nothing is written again.
- The gradient with respect to the array before a step is the one after it, in all places that the step does not write.
  In those that it does, nobody has read what was there before, and any gradient will do: the one after it, too.

Within the loop the array is therefore hidden in an object that can do only this much.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray, Tracer
from jax.interpreters import ad
from jax.typing import ArrayLike

from .._errors import describe
from .._module import Module, field
from .._runtime.primitive import define_primitive

_T = TypeVar("_T")
# JAX does not type these.
_instantiate = cast(Any, ad.instantiate_zeros)
_linear_transpose = cast(Any, jax.linear_transpose)


class Buffer(Module):
    """An array that is written at most once in each place. It is read as `buffer[i]`, which is 0 outside of it."""

    array: jax.Array
    #: Whether writing has an effect: false for an element of a batch that has finished.
    is_running: jax.Array
    #: Stand for the loops, one inside of the other, of which this is a buffer.
    loops: frozenset[object] = field(static=True)

    def __getitem__(self, item: Any) -> jax.Array:
        # In this mode it is always a gather. The compiler merges the transpose of that with adding it up, in batches,
        # too; with the transpose of a slice, each step would go through the whole array.
        return self.array.at[item].get(mode="fill", fill_value=0)

    @property
    def at(self) -> "_At":
        """Where to write, as in `buffer.at[i].set(x)`."""
        return _At(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the array."""
        return self.array.dtype

    @property
    def size(self) -> int:
        """The number of elements of the array."""
        return self.array.size


@dataclasses.dataclass(frozen=True)
class _At:
    buffer: Buffer

    def __getitem__(self, item: Any) -> "_Place":
        return _Place(self.buffer, item)


@dataclasses.dataclass(frozen=True)
class _Place:
    buffer: Buffer
    item: Any

    def set(self, x: ArrayLike, *, pred: ArrayLike = True, **kwargs: Any) -> Buffer:
        """Return the buffer in which `x` is written here, provided that `pred`."""
        buffer = self.buffer
        operands, index = _take_apart(self.item, kwargs)
        array = buffer.array  # of this file
        struct = jax.eval_shape(lambda: array[index.item(operands)])
        is_running = buffer.is_running
        pred = is_running if pred is True else jnp.logical_and(is_running, pred)
        (result,) = maybe_set_p.bind(
            pred, array, _converted(x, struct), *operands, index=index, axes=(), loops=buffer.loops, is_written=False
        )
        return Buffer(result, is_running, buffer.loops)


def _converted(x: ArrayLike, struct: jax.ShapeDtypeStruct) -> jax.Array:
    try:
        is_fine = jnp.result_type(x, struct.dtype) == struct.dtype
    except (TypeError, ValueError):
        is_fine = False
    if not is_fine:
        raise ValueError(
            f"argument `x`: found {describe(x)}, which cannot be written to a buffer of dtype {struct.dtype} without "
            "loss. Convert it with `.astype`, or make the buffer of another dtype."
        )
    return jnp.broadcast_to(jnp.asarray(x, struct.dtype), struct.shape)


class _Operand:
    """Stands for an array in an index."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Index:
    """An index without its arrays, which may be traced, and the options of writing to it."""

    parts: tuple[Any, ...]
    kwargs: dict[str, Any]

    def item(self, operands: Any) -> tuple[Any, ...]:
        """Put the index together."""
        fresh = iter(operands)
        return tuple(next(fresh) if part is _Operand else part for part in self.parts)


def _take_apart(item: Any, kwargs: dict[str, Any]) -> tuple[list[jax.Array], _Index]:
    operands: list[jax.Array] = []
    parts: list[Any] = []
    for part in cast(Any, item if isinstance(item, tuple) else (item,)):
        if isinstance(part, jax.Array):
            if part.dtype == bool and not isinstance(part, Tracer):  # of masks, JAX must know the values
                parts.append(np.asarray(part))
                continue
            operands.append(cast(Any, part))
            parts.append(_Operand)
        else:
            parts.append(part)
    return operands, _Index(tuple(parts), kwargs)


_Axes: TypeAlias = tuple[tuple[int | None, ...], ...]


def _vectorised(function: Callable[..., Any], axes: _Axes) -> Callable[..., Any]:
    """The function of a single element of the batch, as one of the batch: one `vmap` for each level of `axes`."""
    for level in axes:
        function = jax.vmap(function, level)
    return function


def _set(
    pred: jax.Array,
    array: jax.Array,
    x: jax.Array,
    *operands: jax.Array,
    index: _Index,
    axes: _Axes,
    loops: frozenset[object],
    is_written: bool,
) -> list[jax.Array]:
    del loops

    def one(pred: jax.Array, array: jax.Array, x: jax.Array, *operands: jax.Array) -> jax.Array:
        if is_written:
            return array
        item = index.item(operands)
        return array.at[item].set(jnp.where(pred, x, array[item]), **index.kwargs)

    return [_vectorised(one, axes)(pred, array, x, *operands)]


def _abstract_eval(pred: Any, array: Any, x: Any, *operands: Any, axes: _Axes, **params: Any) -> list[ShapedArray]:
    if not axes:
        return [array]
    function = functools.partial(_set, axes=axes, **params)
    (result,) = jax.eval_shape(function, pred, array, x, *operands)
    return [ShapedArray(result.shape, result.dtype, array.weak_type)]


def _batch(operands: Any, level: Any, *, axes: _Axes, **params: Any) -> tuple[list[Any], list[int]]:
    # What is batched last is outermost, and `vmap` is applied to it last.
    return maybe_set_p.bind(*operands, axes=(*axes, tuple(level)), **params), [0]


def _jvp(primals: Any, tangents: Any, **params: Any) -> tuple[list[Any], list[Any]]:
    pred, operands = primals[0], primals[3:]
    result = maybe_set_p.bind(*primals, **params)
    if all(type(tangent) is ad.Zero for tangent in tangents[1:3]):
        return result, [ad.Zero(jax.typeof(result[0]).to_tangent_aval())]
    of_array, of_x = (_instantiate(tangent) for tangent in tangents[1:3])
    # The tangent is no buffer of the loop: where that has been written before, the tangent need not have been.
    params |= {"loops": frozenset(), "is_written": False}
    return result, maybe_set_p.bind(pred, of_array, of_x, *operands, **params)


def _transpose(
    cotangents: Any, pred: Any, array: Any, x: Any, *operands: Any, index: _Index, axes: _Axes, **params: Any
) -> list[Any]:
    del params

    def keep(pred: jax.Array, array: jax.Array, x: jax.Array, *operands: jax.Array) -> jax.Array:
        return array

    def write(pred: jax.Array, array: jax.Array, x: jax.Array, *operands: jax.Array) -> jax.Array:
        # Each place is written once: to set it and to add to zero are the same, but the latter has a transpose.
        return jnp.zeros_like(array).at[index.item(operands)].add(jnp.where(pred, x, 0), **index.kwargs)

    (cotangent,) = cotangents
    results: list[Any] = [None, None, None, *(None for _ in operands)]
    if type(cotangent) is not ad.Zero:
        values = [_defined(array), _defined(x)]
        for position, (value, function) in enumerate([(array, keep), (x, write)]):
            if type(value) is ad.UndefinedPrimal:
                results[1 + position] = _pull_back(
                    _vectorised(function, axes), position, (pred, *values, *operands), cotangent
                )
    return results


def _defined(value: Any) -> Any:
    aval: Any = getattr(value, "aval", None)
    return jnp.zeros(aval.shape, aval.dtype) if type(value) is ad.UndefinedPrimal else value


def _pull_back(function: Callable[..., Any], position: int, args: Any, cotangent: Any) -> Any:
    """Transpose a function that is linear in `args[1 + position]`."""
    before, value, after = args[: 1 + position], args[1 + position], args[2 + position :]

    def linear(value: Any) -> Any:
        return function(*before, value, *after)

    return _linear_transpose(linear, value)(cotangent)[0]


maybe_set_p: Final = define_primitive(
    "maybe_set", impl=_set, abstract_eval=_abstract_eval, lower=_set, batch=_batch, jvp=_jvp, transpose=_transpose
)


def buffer_at_set(buffer: _T, item: Any, x: ArrayLike, *, pred: ArrayLike = True, **kwargs: Any) -> _T:
    """Write to a buffer or to an array: `buffer.at[item].set(x)` where `pred` is true.

    **Arguments**

    - `buffer`: a buffer of a loop, or an array.
    - `item`: where to write: any index.
    - `x`: what to write; it is broadcast to the shape of that place.
    - `pred`: whether to write anything: a boolean scalar.
    - `**kwargs`: options of JAX's indexed update, such as `mode="drop"`.

    **Returns**

    The buffer or the array with the new value.

    **Raises**

    - `ValueError`: the dtype of a buffer cannot hold `x`.

    **Example**
    ```python
    >>> eqx.internal.buffer_at_set(jnp.zeros(3), 1, 5.0)
    Array([0., 5., 0.], dtype=float32)

    ```
    """
    array: Any = buffer
    if not isinstance(array, Buffer):
        x = x if pred is True else jnp.where(pred, x, array[item])
        return cast(_T, array.at[item].set(x, **kwargs))
    return cast(_T, array.at[item].set(x, pred=pred, **kwargs))


if TYPE_CHECKING:
    MaybeBuffer: TypeAlias = Annotated[_T, "or a buffer of it"]
else:

    class _Unwrapping(type):
        def __instancecheck__(cls, instance: object) -> bool:
            value = instance.array if isinstance(instance, Buffer) else instance
            return isinstance(value, cls._content)

    class MaybeBuffer:
        """An annotation: `MaybeBuffer[T]` is a `T`, or a buffer of the loop that it is in."""

        def __class_getitem__(cls, content: Any) -> Any:
            return _Unwrapping(f"MaybeBuffer[{content!r}]", (), {"_content": content})
