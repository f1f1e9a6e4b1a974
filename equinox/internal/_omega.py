"""`ω`: arithmetic on whole PyTrees, leaf by leaf, written like arithmetic on numbers.

    new = (params**ω - 0.1 * grads**ω).ω

is `jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)`. The operator `**` binds tighter than any other, so that
wrapping a tree needs no parentheses.
"""

import operator
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import describe
from .._jax_tree import tree_flatten
from .._tree.predicates import IsLeaf

_T = TypeVar("_T")
_operator = cast(Any, operator)  # functions of any types
_SCALARS: Final = (bool, int, float, complex, jax.Array, np.ndarray, np.generic)


class _OmegaMeta(type):
    # NumPy's arrays would otherwise take this for a number.
    __array_ufunc__ = None

    def __rpow__(cls, value: _T) -> "ω[_T]":
        return ω(value)


class ω(Generic[_T], metaclass=_OmegaMeta):  # noqa: N801, PLC2401 # its name
    """A PyTree to compute with, leaf by leaf. Wrap it as `tree**ω`, and unwrap it as `(...).ω`.

    There are all the binary operators, comparisons included, with a number, an array, or another `ω` whose tree has the
    same structure; the unary ones and `abs`; `x[i]`, of every leaf; `x.at[i].set(y)`, and `add`, `multiply`, `divide`,
    `power`, `min`, `max` in place of `set`, as in JAX; and `x.call(function)`. Each of them gives another `ω`.

    **Arguments**

    - `value`: the PyTree.
    - `is_leaf`: which of its nodes to treat as leaves. An operation with another `ω` needs the same there.

    **Raises** (in an operation)

    - `ValueError`: the two trees have different structures, or different functions `is_leaf`.
    - `RuntimeError`: the other operand is something else.

    **Example**
    ```python
    >>> params = {"weight": jnp.array([1.0, 2.0]), "bias": jnp.array(3.0)}
    >>> grads = {"weight": jnp.array([1.0, 0.0]), "bias": jnp.array(2.0)}
    >>> (params**ω - 0.5 * grads**ω).ω
    {'bias': Array(2., dtype=float32, weak_type=True), 'weight': Array([0.5, 2. ], dtype=float32)}

    ```
    """

    __array_ufunc__ = None

    def __init__(self, value: _T, is_leaf: IsLeaf = None) -> None:
        self.ω = value  # its name
        self.is_leaf = is_leaf

    def __repr__(self) -> str:
        return f"ω({self.ω!r})"

    def call(self, fn: Callable[[Any], Any]) -> "ω[_T]":
        """Apply a function to each leaf."""
        return ω(jax.tree.map(fn, self.ω, is_leaf=self.is_leaf), self.is_leaf)

    def __getitem__(self, item: Any) -> "ω[_T]":
        return self.call(lambda leaf: leaf[item])

    @property
    def at(self) -> "_At[_T]":
        """As `jax.Array.at`, for every leaf."""
        return _At(self)

    def __add__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.add, self, other)

    def __radd__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.add), self, other)

    def __sub__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.sub, self, other)

    def __rsub__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.sub), self, other)

    def __mul__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.mul, self, other)

    def __rmul__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.mul), self, other)

    def __matmul__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.matmul, self, other)

    def __rmatmul__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.matmul), self, other)

    def __truediv__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.truediv), self, other)

    def __floordiv__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.floordiv), self, other)

    def __mod__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.mod, self, other)

    def __rmod__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.mod), self, other)

    def __pow__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.pow, self, other)

    def __rpow__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.pow), self, other)

    def __and__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.and_, self, other)

    def __rand__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.and_), self, other)

    def __or__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.or_, self, other)

    def __ror__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.or_), self, other)

    def __xor__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.xor, self, other)

    def __rxor__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.xor), self, other)

    def __lshift__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.lshift, self, other)

    def __rlshift__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.lshift), self, other)

    def __rshift__(self, other: Any) -> "ω[_T]":
        return _combine(_operator.rshift, self, other)

    def __rrshift__(self, other: Any) -> "ω[_T]":
        return _combine(_swapped(_operator.rshift), self, other)

    def __lt__(self, other: Any) -> "ω[Any]":
        return _combine(_operator.lt, self, other)

    def __le__(self, other: Any) -> "ω[Any]":
        return _combine(_operator.le, self, other)

    def __eq__(self, other: object) -> "ω[Any]":  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # as for arrays
        return _combine(_operator.eq, self, other)

    def __ne__(self, other: object) -> "ω[Any]":  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # as for arrays
        return _combine(_operator.ne, self, other)

    def __ge__(self, other: Any) -> "ω[Any]":
        return _combine(_operator.ge, self, other)

    def __gt__(self, other: Any) -> "ω[Any]":
        return _combine(_operator.gt, self, other)

    # Equal ones are arrays that are equal, and not the same object.
    def __hash__(self) -> int:
        return id(self)

    def __neg__(self) -> "ω[_T]":
        return self.call(_operator.neg)

    def __pos__(self) -> "ω[_T]":
        return self.call(_operator.pos)

    def __abs__(self) -> "ω[_T]":
        return self.call(_operator.abs)

    def __invert__(self) -> "ω[_T]":
        return self.call(_operator.invert)


class _At(Generic[_T]):
    """`x.at`, which is to be indexed."""

    def __init__(self, whole: ω[_T]) -> None:
        self._whole = whole

    def __getitem__(self, item: Any) -> "_Places[_T]":
        return _Places(self._whole, item)


class _Places(Generic[_T]):
    """`x.at[item]`, which can be updated."""

    def __init__(self, whole: ω[_T], item: Any) -> None:
        self._whole = whole
        self._item = item

    def set(self, value: Any) -> ω[_T]:
        return self._update("set", value)

    def add(self, value: Any) -> ω[_T]:
        return self._update("add", value)

    def multiply(self, value: Any) -> ω[_T]:
        return self._update("multiply", value)

    def divide(self, value: Any) -> ω[_T]:
        return self._update("divide", value)

    def power(self, value: Any) -> ω[_T]:
        return self._update("power", value)

    def min(self, value: Any) -> ω[_T]:
        return self._update("min", value)

    def max(self, value: Any) -> ω[_T]:
        return self._update("max", value)

    def _update(self, how: str, value: Any) -> ω[_T]:
        def update(leaf: Any, value: Any) -> Any:
            return getattr(jnp.asarray(leaf).at[self._item], how)(value)

        return _combine(update, self._whole, value)


def _swapped(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda first, second: function(second, first)


def _combine(function: Callable[[Any, Any], Any], first: ω[_T], second: Any) -> ω[_T]:
    """Apply a function to each leaf of one tree and either the same leaf of another one, or a number."""
    if isinstance(second, _SCALARS):
        return first.call(lambda leaf: function(leaf, second))
    kind: Any = ω
    if not isinstance(second, kind):
        raise RuntimeError(
            f"An `ω` can be combined with another `ω`, a number, or an array. Found {describe(second)}. Wrap a PyTree "
            "as `tree**ω`."
        )
    other: ω[Any] = second
    if not _is_same_function(first.is_leaf, other.is_leaf):
        raise ValueError("The two `ω`s have different functions `is_leaf`. Give both the same.")
    leaves, treedef = tree_flatten(first.ω, first.is_leaf)
    others, other_treedef = tree_flatten(other.ω, first.is_leaf)
    if treedef != other_treedef:
        raise ValueError(f"The two `ω`s must have the same structure. Found {treedef} and {other_treedef}.")
    values = treedef.unflatten(function(leaf, value) for leaf, value in zip(leaves, others, strict=True))
    return ω(cast(_T, values), first.is_leaf)


def _is_same_function(first: Any, second: Any) -> bool:
    """Whether two functions are the same, or two that were written alike."""
    if first is second:
        return True
    codes = getattr(first, "__code__", None), getattr(second, "__code__", None)
    return None not in codes and _text(codes[0]) == _text(codes[1])


def _text(code: Any) -> tuple[Any, ...]:
    return code.co_code, code.co_consts, code.co_names
