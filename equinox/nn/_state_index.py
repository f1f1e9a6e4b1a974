"""`StateIndex`: a layer's claim to one slot of a `State`, and with which value that slot starts."""

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeGuard, TypeVar

import jax

from .._errors import locate
from .._module import Module, field

_T = TypeVar("_T")
_Value = TypeVar("_Value")


class Unnamed:
    """The marker of an index that has not gone through `make_with_state`. It is equal only to itself."""

    def __repr__(self) -> str:
        return "<unnamed>"


class _Deleted(Module):
    """In place of an initial value that is now in a `State`. It has no leaves, so that it is no parameter either."""


class StateIndex(Module, Generic[_Value]):
    """Refers to one value in a [`State`][equinox.nn.State], which changes from call to call as no field of a layer can.

    A layer makes its indices when it is made. Calling it, `state.get(index)` is the current value and
    `state.set(index, value)` a new state.

    **Arguments**

    - `init`: the initial value, a PyTree of arrays and numbers. All later values must have the same structure, shapes
        and dtypes.

    **Raises**

    - `ValueError`: `init` is a function.

    **Example**
    ```python
    >>> class Counter(eqx.nn.StatefulLayer):
    ...     calls: eqx.nn.StateIndex[jax.Array]
    ...     def __init__(self):
    ...         self.calls = eqx.nn.StateIndex(jnp.array(0))
    ...     def __call__(self, x, state, *, key=None):
    ...         return x, state.set(self.calls, state.get(self.calls) + 1)
    >>> counter, state = eqx.nn.make_with_state(Counter)()
    >>> x, state = counter("x", state)
    >>> state.get(counter.calls)
    Array(1, dtype=int32, weak_type=True)

    ```
    """

    marker: Final[object]
    init: Final[_Value]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        marker = field(static=True)

    def __init__(self, init: _Value) -> None:
        if isinstance(init, FunctionType):
            raise ValueError(
                f"{locate('init')} of `StateIndex` must be the initial value itself, found the function "
                f"`{init.__qualname__}`. Pass what it returns."
            )
        self.marker = Unnamed()
        self.init = init


def is_index(node: object) -> TypeGuard[StateIndex[Any]]:
    """Whether a node of a PyTree refers to a value in a `State`."""
    return type(node) is StateIndex


def has_init(index: StateIndex[Any]) -> bool:
    """Whether the index still holds its initial value."""
    return not isinstance(index.init, _Deleted)


def renamed(index: StateIndex[_Value], marker: object) -> StateIndex[_Value]:
    """A copy of an index that refers to another slot."""
    copy = StateIndex(index.init)
    object.__setattr__(copy, "marker", marker)  # Nobody else has this object yet.
    return copy


def delete_init_state(model: _T) -> _T:
    """Take the initial values out of all [`StateIndex`][equinox.nn.StateIndex]es of a model.

    [`make_with_state`][equinox.nn.make_with_state] does this too. Otherwise the arrays that only serve to make a state
    would remain leaves of the model, and be saved, copied and updated together with its parameters.

    **Arguments**

    - `model`: any PyTree.

    **Returns**

    A copy of `model` that can be called with the states made before, but from which none can be made any more.

    **Example**
    ```python
    >>> index = eqx.nn.StateIndex(jnp.zeros(3))
    >>> state = eqx.nn.State(index)
    >>> index = eqx.nn.delete_init_state(index)
    >>> jax.tree.leaves(index)
    []
    >>> state.get(index)
    Array([0., 0., 0.], dtype=float32)

    ```
    """

    def delete(node: Any) -> Any:
        if not is_index(node):
            return node
        copy: StateIndex[Any] = StateIndex(_Deleted())
        return renamed(copy, node.marker)

    without_init: _T = jax.tree.map(delete, model, is_leaf=is_index)
    return without_init
