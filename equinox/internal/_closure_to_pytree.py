"""`closure_to_pytree`: make what a function has closed over children of a PyTree, without calling it.

A function that was made inside of another one refers to variables there; Python keeps each in a cell. The optimisers of
Optax are such functions: a learning rate that is an array sits in a cell of `update`, where JAX does not see it. And
since every optimiser has functions of its own, a program that is compiled for one would be compiled again for the next.

Here, the contents of the cells become children, and what is left is the function's code. Two of these are the same
thing if they were written at the same place. To be called, the function is put together again.
"""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar, cast, final

import jax

from .._jax_tree import tree_flatten
from .._module import Module, field
from .._transforms.conceal import is_same_static

_T = TypeVar("_T")


def closure_to_pytree(tree: _T) -> _T:
    """Replace the Python functions in a PyTree by Modules whose children are what these functions have closed over.

    **Arguments**

    - `tree`: any PyTree. Its leaves that are functions are replaced, and so are the functions that those have closed
      over. One that refers to itself is left as it is. So is everything that is not a function written in Python.

    **Returns**

    The PyTree. The new leaves are called like the functions. Two of them have the same structure if the functions come
    from the same place in the same source file, whatever they have closed over.

    **Example**
    ```python
    >>> def scale_by(rate):
    ...     return lambda x: rate * x
    >>> fast = closure_to_pytree(scale_by(jnp.array(0.1)))
    >>> slow = closure_to_pytree(scale_by(jnp.array(0.01)))
    >>> jax.tree.structure(fast) == jax.tree.structure(slow)
    True
    >>> fast(2.0), jax.tree.leaves(fast)
    (Array(0.2, dtype=float32, weak_type=True), [Array(0.1, dtype=float32, weak_type=True)])

    ```
    """
    return cast(_T, jax.tree.map(_convert, tree))


#: Where a function keeps its annotations. They are not to be evaluated here: names in them may not be defined yet.
_ANNOTATIONS: Final = "__annotate__" if sys.version_info >= (3, 14) else "__annotations__"


@final
class _Empty:
    """What is in the cell of a variable that has no value yet."""


_EMPTY: Final = _Empty()


def _contents(function: types.FunctionType) -> list[Any]:
    """What is in the cells of a function."""
    contents: list[Any] = []
    for cell in function.__closure__ or ():
        try:
            contents.append(cell.cell_contents)
        except ValueError:
            contents.append(_EMPTY)
    return contents


def _functions_in(contents: Iterable[Any]) -> list[types.FunctionType]:
    return [leaf for leaf in tree_flatten(list(contents))[0] if type(leaf) is types.FunctionType]


def _is_recursive(function: types.FunctionType) -> bool:
    """Whether one gets from a function, through what functions have closed over, to itself."""
    seen: set[int] = set()
    to_do = _functions_in(_contents(function))
    while to_do:
        found = to_do.pop()
        if found is function:
            return True
        if id(found) not in seen:
            seen.add(id(found))
            to_do += _functions_in(_contents(found))
    return False


def _convert(leaf: Any) -> Any:
    if type(leaf) is not types.FunctionType or _is_recursive(leaf):
        return leaf
    return _Closure(tuple(jax.tree.map(_convert, content) for content in _contents(leaf)), _Code(leaf))


class _Closure(Module):
    """A function."""

    contents: tuple[Any, ...]
    _code: "_Code" = field(static=True)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self._code.close_over(self.contents)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)


class _Code:
    """A function without what it has closed over."""

    def __init__(self, function: types.FunctionType) -> None:
        self._code = function.__code__
        self._globals = function.__globals__
        self._names = function.__qualname__, function.__module__
        self._defaults = function.__defaults__, function.__kwdefaults__
        self._others = function.__name__, function.__doc__, getattr(function, _ANNOTATIONS)

    def close_over(self, contents: tuple[Any, ...]) -> types.FunctionType:
        """Put the function together."""
        cells = tuple(types.CellType() if content is _EMPTY else types.CellType(content) for content in contents)
        defaults, keyword_defaults = self._defaults
        name, doc, annotations = self._others
        function = types.FunctionType(self._code, self._globals, name, defaults, cells)
        function.__qualname__, function.__module__ = self._names
        function.__kwdefaults__ = keyword_defaults
        function.__doc__ = doc
        setattr(function, _ANNOTATIONS, annotations)
        return function

    def __eq__(self, other: object) -> bool:
        return type(other) is _Code and (
            self._names == other._names
            and self._globals is other._globals
            and _source_of(self._code) == _source_of(other._code)
            # Otherwise two functions that are written on one line would be the same.
            and self._code.co_code == other._code.co_code
            and is_same_static(self._code.co_consts, other._code.co_consts)
            and is_same_static(self._all_defaults, other._all_defaults)
        )

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"<code of {self._names[0]}>"

    @property
    def _all_defaults(self) -> tuple[Any, ...]:
        by_position, by_keyword = self._defaults
        return *(by_position or ()), *(by_keyword or {}).items()


@functools.lru_cache
def _source_of(code: types.CodeType) -> object:
    """The text of a function, or whatever else says where it comes from."""
    try:
        return inspect.getsource(code)
    except OSError:
        return code
