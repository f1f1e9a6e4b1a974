"""`filter_closure_convert`: turn what a function refers to into leaves of a PyTree."""

import dataclasses
import itertools
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar, cast

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

from .._jax_tree import PyTreeDef, tree_flatten
from .._module import Module, field
from .._tree.predicates import is_array
from .._tree.pretty import tree_pformat
from .arguments import name_of
from .conceal import conceal, reveal
from .eval_shape import is_abstract
from .wrapped import check_callable

_P = ParamSpec("_P")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_PyTree: TypeAlias = Any
# JAX does not type these.
_Struct = cast(Any, jax.ShapeDtypeStruct)
_as_function = cast(Any, jaxpr_as_fun)


@dataclasses.dataclass(frozen=True)
class _Structure:
    """What is fixed of a tree: everything but the values of its arrays."""

    treedef: PyTreeDef
    #: With a `jax.ShapeDtypeStruct` in place of each array.
    leaves: tuple[Any, ...]
    mask: tuple[bool, ...]

    def fill(self, arrays: Sequence[Any]) -> _PyTree:
        """Put the tree together around arrays."""
        fresh = iter(arrays)
        return self.treedef.unflatten(
            next(fresh) if is_dynamic else leaf for leaf, is_dynamic in zip(self.leaves, self.mask, strict=True)
        )

    @property
    def tree(self) -> _PyTree:
        return self.treedef.unflatten(self.leaves)

    def show(self, *, dynamic: bool) -> str:
        """Show the arrays, or all the rest."""
        pairs = zip(self.leaves, self.mask, strict=True)
        shown = self.treedef.unflatten(leaf if flag is dynamic else None for leaf, flag in pairs)
        return tree_pformat(shown, struct_as_array=dynamic)


def _structure(tree: _PyTree, is_dynamic: Callable[[Any], bool]) -> tuple[_Structure, list[jax.ShapeDtypeStruct]]:
    """The structure of arguments, and their arrays with all that may count when tracing, such as weak types."""
    leaves, treedef = tree_flatten(tree)
    mask = tuple(map(is_dynamic, leaves))
    structs: list[jax.ShapeDtypeStruct] = jax.eval_shape(_identity, list(itertools.compress(leaves, mask)))
    bare = iter([_Struct(struct.shape, struct.dtype) for struct in structs])
    fixed = tuple(next(bare) if flag else leaf for leaf, flag in zip(leaves, mask, strict=True))
    return _Structure(treedef, fixed, mask), structs


class ClosureConverted(Protocol[_P, _T_co]):
    """A function that can be called with arguments like the example ones, and that refers to nothing outside itself."""

    @property
    def jaxpr(self) -> Jaxpr:
        """The program; its first inputs are the constants."""
        ...

    @property
    def consts(self) -> list[Any]:
        """The arrays and tracers that the function refers to."""
        ...

    @property
    def in_struct(self) -> tuple[Any, Any]:
        """The example arguments, `(args, kwargs)`, with a `jax.ShapeDtypeStruct` in place of each array."""
        ...

    @property
    def out_struct(self) -> Any:
        """The output for them, likewise."""
        ...

    def __call__(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...


class _Traced(Module):
    """A function as a program."""

    jaxpr: Jaxpr
    consts: list[Any]
    _name: str = field(static=True)
    _in: _Structure = field(static=True)
    _out: _Structure = field(static=True)

    @property
    def in_struct(self) -> tuple[Any, Any]:
        return cast(tuple[Any, Any], self._in.tree)

    @property
    def out_struct(self) -> Any:
        return self._out.tree

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        arrays = _match(self._name, (args, kwargs), self._in)
        return self._out.fill(_as_function(ClosedJaxpr(self.jaxpr, self.consts))(*arrays))


class _Untraced(Module):
    """A function that is closed already, and is called as it is."""

    fn: Callable[..., Any]
    _in: _Structure = field(static=True)

    @property
    def jaxpr(self) -> Jaxpr:
        return self._traced.jaxpr

    @property
    def consts(self) -> list[Any]:
        return self._traced.consts

    @property
    def in_struct(self) -> tuple[Any, Any]:
        return cast(tuple[Any, Any], self._in.tree)

    @property
    def out_struct(self) -> Any:
        return self._traced.out_struct

    @property
    def _traced(self) -> _Traced:
        return _trace(self.fn, self._in, itertools.compress(self._in.leaves, self._in.mask))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        _match(name_of(self.fn), (args, kwargs), self._in)
        return self.fn(*args, **kwargs)


def _trace(fn: Callable[..., Any], example: _Structure, example_structs: Iterable[jax.ShapeDtypeStruct]) -> _Traced:
    def of_arrays(*arrays: Any) -> Any:
        args, kwargs = example.fill(arrays)
        leaves, treedef = tree_flatten(fn(*args, **kwargs))
        mask = tuple(map(is_array, leaves))
        static = tuple(None if flag else leaf for leaf, flag in zip(leaves, mask, strict=True))
        return list(itertools.compress(leaves, mask)), conceal(_Structure(treedef, static, mask), is_array)

    closed, (structs, hidden) = jax.make_jaxpr(of_arrays, return_shape=True)(*example_structs)
    output: _Structure = reveal(hidden)
    fresh = iter(structs)
    leaves = tuple(next(fresh) if flag else leaf for leaf, flag in zip(output.leaves, output.mask, strict=True))
    return _Traced(closed.jaxpr, list(closed.consts), name_of(fn), example, dataclasses.replace(output, leaves=leaves))


def _identity(arrays: list[Any]) -> list[Any]:
    return arrays


def _match(name: str, call: _PyTree, example: _Structure) -> list[Any]:
    """Return the arrays of a call, after checking that all else is as in the example."""
    leaves, treedef = tree_flatten(call)
    triples = list(zip(leaves, example.leaves, example.mask, strict=False))
    if treedef != example.treedef or not all(_is_like(leaf, struct) for leaf, struct, flag in triples if flag):
        _raise_mismatch(name, call, example, dynamic=True)
    if any(is_array(leaf) for leaf, _, flag in triples if not flag):
        _raise_mismatch(name, call, example, dynamic=True)
    if not all(_is_equal(leaf, other) for leaf, other, flag in triples if not flag):
        _raise_mismatch(name, call, example, dynamic=False)
    return list(itertools.compress(leaves, example.mask))


def _is_like(leaf: Any, struct: jax.ShapeDtypeStruct) -> bool:
    if not is_array(leaf):
        return False
    kind: Any = jax.typeof(leaf)
    return bool(kind.shape == struct.shape and kind.dtype == struct.dtype)


def _is_equal(leaf: Any, other: Any) -> bool:
    try:
        return leaf is other or bool(leaf == other)
    except Exception:  # noqa: BLE001 # what cannot be compared is not equal
        return False


def _raise_mismatch(name: str, call: _PyTree, example: _Structure, *, dynamic: bool) -> None:
    kind = "arrays" if dynamic else "values that are no arrays"
    advice = (
        "Shapes, dtypes and structure must be those of the example; a Python number is no array."
        if dynamic
        else "They were fixed when it was converted: convert it again for others, or pass them as arrays."
    )
    raise ValueError(
        f"`{name}`, converted by `filter_closure_convert`, was called with other {kind} than those of the example "
        f"arguments. {advice}\nCalled with (args, kwargs):\n{_structure(call, is_array)[0].show(dynamic=dynamic)}\n"
        f"Converted for:\n{example.show(dynamic=dynamic)}"
    )


def filter_closure_convert(fn: Callable[_P, _T], *args: Any, **kwargs: Any) -> ClosureConverted[_P, _T]:
    """Turn a function into a PyTree whose leaves are the arrays that it refers to. Like `jax.closure_convert`.

    So a function that closes over arrays (tracers included) can be passed to another transformation, which then sees
    them: they are differentiated, vectorised or moved like those of any argument.

    **Arguments**

    - `fn`: the function; any other callable too.
    - `*args`, `**kwargs`: arguments like those it will be called with. Of an array only shape and dtype count, and a
        `jax.ShapeDtypeStruct` will do; everything else must be equal in the calls.

    **Returns**

    A Module that is called like `fn`. Its attributes are `jaxpr`, the program that `fn` was traced to; `consts`, the
    arrays and tracers that it refers to; `in_struct` and `out_struct`, the example arguments and the output for them,
    with a `jax.ShapeDtypeStruct` in place of each array. The first two are its leaves. A plain Python function without
    free variables is not traced: it is the only leaf itself.

    **Raises**

    - `TypeError`: `fn` is not callable.
    - `ValueError`, when called: the arguments are not like those of the example.

    **Example**
    ```python
    >>> def parabola(width):
    ...     return eqx.filter_closure_convert(lambda x: (x / width) ** 2, jnp.array(0.0))
    >>> def at_three(function):
    ...     return function(jnp.array(3.0))
    >>> function = parabola(jnp.array(2.0))
    >>> function.consts
    [Array(2., dtype=float32, weak_type=True)]
    >>> eqx.filter_grad(at_three)(function).consts
    [Array(-2.25, dtype=float32, weak_type=True)]

    ```
    """
    check_callable("filter_closure_convert", fn)
    example, structs = _structure((args, kwargs), is_abstract)
    is_closed = isinstance(fn, types.FunctionType) and fn.__closure__ is None
    converted: Any = _Untraced(fn, example) if is_closed else _trace(fn, example, structs)
    return cast(ClosureConverted[_P, _T], converted)
