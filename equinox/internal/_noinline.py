"""`noinline`: compile a function once, by itself, however often and wherever a program calls it.

JAX writes out a function at every place where it is called, and compiles all of that together. With a large function
that is called in many places, it takes long. Here, the program only has a primitive in these places, which calls back
to Python. There, the function is compiled separately; the next callback finds it compiled already.

Transformations are put on a list. To differentiate, batch or transpose the primitive yields the primitive with one more
entry in its parameter `transforms`. When it is called, the function is compiled with these transformations applied,
from the first to the last.

Which function it is, is a number among the operands. So a compiled program can be given another function.
"""

import abc
import dataclasses
import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray, Tracer
from jax.interpreters import ad

from .._jax_tree import PyTreeDef
from .._module import Module, field, module_update_wrapper
from .._module.wrapper import copy_names
from .._runtime.error_if import error_if
from .._runtime.guard import OPAQUE_PRIMITIVES
from .._runtime.primitive import define_primitive
from .._transforms.cache import shared
from .._transforms.conceal import static_key
from .._transforms.eval_shape import filter_eval_shape
from .._transforms.history import signature_of
from .._transforms.split import Remainder, split
from .._transforms.wrapped import BoundWrapped, check_callable
from .._tree.predicates import is_array
from ._hashable_partition import hashable_combine, hashable_partition

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Flat: TypeAlias = Callable[..., list[Any]]
# JAX does not type these.
_Struct = cast(Any, jax.ShapeDtypeStruct)
_linear_transpose = cast(Any, jax.linear_transpose)


def noinline(fn: Callable[_P, _T], abstract_fn: Callable[..., Any] | None = None) -> Callable[_P, _T]:
    """Have a function compiled by itself, and not as a part of the programs that call it.

    Those programs are compiled faster, and run a little slower: each call goes through Python. It works on CPUs only.

    **Arguments**

    - `fn`: any callable. Its arrays, and those of its arguments, are inputs of the compiled function; everything else
      is static, and the function is compiled anew for other values.
    - `abstract_fn`: called as `abstract_fn(arrays, *args, **kwargs)`, where `arrays` are the leaves of `fn` (`None` for
      those that are no arrays), it returns something like what `fn` would return. A program that was compiled for one
      function can be given any other one with the same `abstract_fn`, and is not compiled again.

    **Returns**

    A Module that is called like `fn`. It can be transformed like any function; derivatives and batches are compiled by
    themselves, too. Within a compiled function, its outputs must have the types that `abstract_fn` says.

    **Raises**

    - `TypeError`: `fn` is not callable; or (when it is called) something that is static has no hash.

    **Example**
    ```python
    >>> @noinline
    ... def slow_to_compile(x):
    ...     return jnp.sin(x)
    >>> jax.jit(lambda x: slow_to_compile(slow_to_compile(x)))(jnp.array(1.0))
    Array(0.7456241, dtype=float32)

    ```
    """
    check_callable("noinline", fn)
    return cast(Callable[_P, _T], _NoInline(fn, abstract_fn))


class _Functions:
    """Those that are not to be inlined, without their arrays. They are never forgotten: programs know their numbers."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._lock = threading.Lock()

    def number(self, part: tuple[Sequence[Any], PyTreeDef]) -> int:
        leaves, treedef = part
        key = treedef, *map(static_key, leaves)
        with self._lock:
            number = self._numbers.setdefault(key, len(self._parts))
            if number == len(self._parts):
                self._parts.append(part)
        return number

    def get(self, number: int, arrays: Sequence[Any]) -> Callable[..., Any]:
        return cast(Callable[..., Any], hashable_combine(arrays, self._parts[number]))


_functions: Final = _Functions()


class _NoInline(Module):
    """A function that is not inlined."""

    _number: Any
    _arrays: tuple[Any, ...]
    #: What determines the output: `abstract_fn`, or else the number of the function.
    _blueprint: Any = field(static=True)

    def __init__(self, fn: Callable[..., Any], abstract_fn: Callable[..., Any] | None) -> None:
        self._arrays, rest = hashable_partition(fn, is_array)
        number = _functions.number(rest)
        self._number = np.array(number, np.int32)
        self._blueprint = number if abstract_fn is None else abstract_fn
        if abstract_fn is None:  # or else functions with other names could not take its place
            copy_names(self, fn)

    # JAX hashes the functions that it is given, and there are arrays in this one.
    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        if isinstance(self._number, Tracer):
            raise AttributeError(
                "`__wrapped__`: which function this is, is decided when the compiled program is called."
            )
        return _functions.get(int(self._number), self._arrays)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else module_update_wrapper(BoundWrapped(cast(Any, self), instance))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        arrays, rest = split((self._arrays, args, kwargs), is_array)
        arrays = [jnp.asarray(array, array.dtype) for array in arrays]  # not weakly typed
        static: list[Any] = [static_key(leaf) for leaf in (self._blueprint, *rest.leaves)]
        key = _Call, rest.places, *static, signature_of(arrays)
        call = shared(None, key, lambda: _Call(self._blueprint, rest, arrays))
        return call.output.join(noinline_p.bind(self._number, *arrays, call=call, transforms=()))


class _Call:
    """All calls that the same compiled function is good for."""

    def __init__(self, blueprint: Any, rest: Remainder, arrays: Sequence[Any]) -> None:
        def abstract(own: Sequence[Any], args: Any, kwargs: Any) -> Any:
            if type(blueprint) is int:
                return _functions.get(blueprint, own)(*args, **kwargs)
            return blueprint(own, *args, **kwargs)

        self._rest = rest
        output = filter_eval_shape(abstract, *rest.join([_Struct(array.shape, array.dtype) for array in arrays]))
        self.structs, self.output = split(output, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
        self._programs: dict[Any, _Flat] = {}

    def clear(self) -> None:
        self._programs.clear()

    def program(self, number: int, transforms: "tuple[_Transform, ...]") -> _Flat:
        """A function, compiled, from arrays to arrays."""
        found = self._programs.get((number, transforms))
        if found is None:
            function = functools.reduce(
                lambda function, transform: transform.apply(function), transforms, self._flat(number)
            )
            found = self._programs.setdefault((number, transforms), jax.jit(function))
        return found

    def _flat(self, number: int) -> _Flat:
        def flat(*arrays: Any) -> list[Any]:
            own, args, kwargs = self._rest.join(arrays)
            output = _functions.get(number, own)(*args, **kwargs)
            found, rest = split(output, is_array)
            if rest.places != self.output.places:
                raise ValueError(
                    f"`noinline`: the function returned something of another structure, {rest.places.treedef}, than "
                    f"was expected, {self.output.places.treedef}: that is what `abstract_fn` returned."
                )
            return found

        return flat


class _Transform(abc.ABC):
    """A transformation of a function from arrays to a list of arrays."""

    @abc.abstractmethod
    def apply(self, function: _Flat) -> _Flat:
        """Transform the function."""

    @abc.abstractmethod
    def structs(self, structs: list[Any]) -> list[Any]:
        """The types of its outputs, from those that it had before."""


@dataclasses.dataclass(frozen=True)
class _Vmap(_Transform):
    """`jax.vmap`, with the axis of the batch in front of each output."""

    axes: tuple[int | None, ...]
    size: int

    def apply(self, function: _Flat) -> _Flat:
        return jax.vmap(function, self.axes, axis_size=self.size)

    def structs(self, structs: list[Any]) -> list[Any]:
        return [_Struct((self.size, *struct.shape), struct.dtype) for struct in structs]


@dataclasses.dataclass(frozen=True)
class _Tangents(_Transform):
    """The tangents of the outputs, as a function of the inputs and of those tangents of theirs that are not zero."""

    is_changing: tuple[bool, ...]

    def apply(self, function: _Flat) -> _Flat:
        def tangents(*arrays: Any) -> list[Any]:
            count = len(self.is_changing)
            inputs, directions = arrays[:count], arrays[count:]

            def of_changing(*changing: Any) -> list[Any]:
                fresh = iter(changing)
                pairs = zip(inputs, self.is_changing, strict=True)
                outputs = function(*(next(fresh) if flag else value for value, flag in pairs))
                return list(filter(_is_inexact, outputs))

            changing = tuple(itertools.compress(inputs, self.is_changing))
            _, tangents_out = jax.jvp(of_changing, changing, directions)
            return cast(list[Any], tangents_out)

        return tangents

    def structs(self, structs: list[Any]) -> list[Any]:
        return list(filter(_is_inexact, structs))


@dataclasses.dataclass(frozen=True)
class _Transpose(_Transform):
    """The cotangents of some inputs, in which it is linear, as a function of the other ones and of all cotangents."""

    #: The types of the inputs in which it is linear.
    linear: tuple[Any, ...]

    def apply(self, function: _Flat) -> _Flat:
        def cotangents(*arrays: Any) -> list[Any]:
            count = self.linear.count(None)
            constants, cotangents = arrays[:count], arrays[count:]

            def of_linear(*values: Any) -> list[Any]:
                fresh, rest = iter(values), iter(constants)
                return function(*(next(rest) if struct is None else next(fresh) for struct in self.linear))

            transposed = _linear_transpose(of_linear, *self.structs([]))
            return list(transposed(list(cotangents)))

        return cotangents

    def structs(self, structs: list[Any]) -> list[Any]:
        return [struct for struct in self.linear if struct is not None]


def _is_inexact(array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.inexact))


def _structs(call: _Call, transforms: tuple[_Transform, ...]) -> list[Any]:
    return functools.reduce(lambda structs, transform: transform.structs(structs), transforms, call.structs)


def _impl(number: Any, *arrays: Any, call: _Call, transforms: tuple[_Transform, ...]) -> list[Any]:
    return call.program(int(number), transforms)(*arrays)


def _abstract_eval(*kinds: Any, call: _Call, transforms: tuple[_Transform, ...]) -> list[Any]:
    del kinds
    return [ShapedArray(struct.shape, struct.dtype) for struct in _structs(call, transforms)]


def _lower(*operands: Any, call: _Call, transforms: tuple[_Transform, ...]) -> list[Any]:
    structs = _structs(call, transforms)

    def on_host(number: Any, *arrays: Any) -> list[Any]:
        outputs = call.program(int(number), transforms)(*arrays)
        return [np.asarray(output, struct.dtype) for output, struct in zip(outputs, structs, strict=True)]

    return cast(list[Any], jax.pure_callback(on_host, structs, *operands))


def _batch(
    operands: Sequence[Any], axes: Sequence[int | None], *, call: _Call, transforms: tuple[_Transform, ...]
) -> tuple[Any, Any]:
    number, *arrays = operands
    of_number, *of_arrays = axes
    if of_number is not None:
        numbers = jnp.moveaxis(number, of_number, 0)
        number = error_if(
            numbers[0], numbers != numbers[0], "`noinline`: the elements of a batch are to call different functions."
        )
    pairs = zip(arrays, of_arrays, strict=True)
    size = next((array.shape[axis] for array, axis in pairs if axis is not None), None)
    if size is None:
        outputs = noinline_p.bind(number, *arrays, call=call, transforms=transforms)
        return outputs, [None] * len(outputs)
    transforms = (*transforms, _Vmap(tuple(of_arrays), size))
    outputs = noinline_p.bind(number, *arrays, call=call, transforms=transforms)
    return outputs, [0] * len(outputs)


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, call: _Call, transforms: tuple[_Transform, ...]
) -> tuple[Any, Any]:
    outputs = noinline_p.bind(*primals, call=call, transforms=transforms)
    is_changing = tuple(type(tangent) is not ad.Zero for tangent in tangents[1:])
    directions = itertools.compress(tangents[1:], is_changing)
    transforms = (*transforms, _Tangents(is_changing))
    found = iter(noinline_p.bind(*primals, *directions, call=call, transforms=transforms))
    zeros = [ad.Zero(jax.typeof(output).to_tangent_aval()) for output in outputs]
    return outputs, [next(found) if _is_inexact(output) else zero for output, zero in zip(outputs, zeros, strict=True)]


def _transpose(
    cotangents: Sequence[Any], number: Any, *operands: Any, call: _Call, transforms: tuple[_Transform, ...]
) -> list[Any]:
    linear = tuple(
        _Struct(operand.aval.shape, operand.aval.dtype) if type(operand) is ad.UndefinedPrimal else None
        for operand in operands
    )
    constants = [operand for operand in operands if type(operand) is not ad.UndefinedPrimal]
    given = map(cast(Any, ad.instantiate_zeros), cotangents)
    transforms = (*transforms, _Transpose(linear))
    found = iter(noinline_p.bind(number, *constants, *given, call=call, transforms=transforms))
    return [None, *(None if struct is None else next(found) for struct in linear)]


noinline_p: Final = define_primitive(
    "noinline",
    impl=_impl,
    abstract_eval=_abstract_eval,
    lower=_lower,
    batch=_batch,
    jvp=_jvp,
    transpose=_transpose,
)
OPAQUE_PRIMITIVES.add(noinline_p)
