"""`RNN`: a recurrent cell along a sequence."""

from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, cast, overload

import jax
import jax.numpy as jnp
from jax import Array
from typing_extensions import TypeIs, TypeVar

from .._errors import describe, locate
from .._jax_tree import tree_flatten
from .._module import Module, Partial, field
from .._transforms.scan import filter_scan
from ._gru import GRUCell
from ._lstm import LSTMCell
from ._shapes import as_size, checked

_Hidden = TypeVar("_Hidden")


class RecurrentCell(Protocol[_Hidden]):
    """What makes one step: from an input and a hidden state to the next hidden state."""

    def __call__(self, input: Array, hidden: _Hidden, /, *, key: Array | None = None) -> _Hidden: ...


_Cell = TypeVar("_Cell", bound=RecurrentCell[Any])
_Cell_co = TypeVar("_Cell_co", bound=RecurrentCell[Any], covariant=True, default=Any)
_ReturnCarry_co = TypeVar("_ReturnCarry_co", bound=bool, covariant=True, default=Any)


class RNN(Module, Generic[_Cell_co, _ReturnCarry_co]):
    r"""Calls a recurrent cell with each element of a sequence, and with the hidden state that came of the one before.

    $$h_t = \text{cell}(x_t, h_{t-1})$$

    The cell may be a [`GRUCell`][equinox.nn.GRUCell], an [`LSTMCell`][equinox.nn.LSTMCell], or any other callable
    `cell(input, hidden, *, key=None)` that returns the next hidden state, an array or a PyTree of arrays.

    **Arguments**

    - `cell`: makes one step.
    - `reverse`: whether to go from the last element to the first.
    - `unroll`: how many steps to make in one iteration of the compiled loop, as in `jax.lax.scan`.
    - `return_carry`: whether to return, besides the outputs, the last hidden state.

    **Raises**

    - `ValueError`: `unroll` is neither a positive integer nor a `bool`.

    **Example**
    ```python
    >>> cell = eqx.nn.LSTMCell(3, 4, key=jax.random.key(0))
    >>> eqx.nn.RNN(cell)(jnp.ones((10, 3))).shape
    (10, 4)
    >>> outputs, (h, c) = eqx.nn.RNN(cell, return_carry=True)(jnp.ones((10, 3)))
    >>> bool((h == outputs[-1]).all())
    True

    ```
    Sequences of different lengths make a batch when they are filled up to the same length:
    ```python
    >>> lengths = jnp.array([10, 7])
    >>> outputs = jax.vmap(eqx.nn.RNN(cell))(jnp.ones((2, 10, 3)), length=lengths)
    >>> (outputs != 0).any(axis=-1).sum(axis=1)
    Array([10,  7], dtype=int32)

    ```
    """

    cell: Final[_Cell_co]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    reverse: Final[bool]
    unroll: Final[int | bool]
    return_carry: Final[_ReturnCarry_co]  # type: ignore[misc] # as above

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        reverse = field(static=True)
        unroll = field(static=True)
        return_carry = field(static=True)

    @overload
    def __init__(
        self: "RNN[_Cell, Literal[False]]",
        cell: _Cell,
        *,
        reverse: bool = False,
        unroll: int | bool = 1,
        return_carry: Literal[False] = False,
    ) -> None: ...
    @overload
    def __init__(
        self: "RNN[_Cell, Literal[True]]",
        cell: _Cell,
        *,
        reverse: bool = False,
        unroll: int | bool = 1,
        return_carry: Literal[True],
    ) -> None: ...
    @overload
    def __init__(
        self: "RNN[_Cell, Any]",
        cell: _Cell,
        *,
        reverse: bool = False,
        unroll: int | bool = 1,
        return_carry: bool,
    ) -> None: ...
    def __init__(self, cell: Any, *, reverse: bool = False, unroll: int | bool = 1, return_carry: bool = False) -> None:
        self.cell = cell
        self.reverse = bool(reverse)
        self.unroll = as_unroll(unroll)
        self.return_carry = cast(Any, bool(return_carry))

    @overload
    def __call__(
        self: "RNN[RecurrentCell[Any], Literal[False]]",
        xs: Array,
        hidden: Any = None,
        *,
        length: int | Array | None = None,
        key: Array | None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self: "RNN[RecurrentCell[_Hidden], Literal[True]]",
        xs: Array,
        hidden: _Hidden | None = None,
        *,
        length: int | Array | None = None,
        key: Array | None = None,
    ) -> tuple[Array, _Hidden]: ...
    def __call__(
        self, xs: Array, hidden: Any = None, *, length: int | Array | None = None, key: Array | None = None
    ) -> Any:
        """Read one sequence.

        **Arguments**

        - `xs`: shape `(time, input_size)`.
        - `hidden`: the hidden state at the beginning; by default zeros. (For a cell that is neither a `GRUCell` nor an
            `LSTMCell` it is required.)
        - `length`: an integer, the number of elements that count, which may be traced. The others, at the end, do not
            change the hidden state, and their outputs are zero. With `reverse`, reading begins at element `length - 1`.
        - `key`: a PRNG key, of which each step of the cell gets its own part.

        **Returns**

        The outputs, of shape `(time, hidden_size)`: the hidden state after each element, at the index of that element.
        If it consists of several arrays, then the first of them, which for an LSTM is `h`. With `return_carry`, a pair:
        the outputs and the last hidden state.

        **Raises**

        - `ValueError`: `xs`, `hidden` or `length` has another shape (for a batch of sequences, use `jax.vmap`);
            `hidden` is missing for a cell whose hidden state is unknown.
        - `TypeError`: `length` is not an integer; or the cell returns a hidden state of another structure or type than
            the one that it is given.
        """
        with jax.named_scope("eqx.nn.RNN"):
            cell: object = self.cell
            xs = checked(self, "xs", xs, (None, cell.input_size)) if _is_known(cell) else jnp.asarray(xs)
            carry = _initial(cell, xs, hidden)
            counts = None if length is None else jnp.arange(len(xs)) < self._checked_length(length)
            keys = None if key is None else jax.random.split(key, len(xs))
            steps, unroll = (xs, keys, counts), self.unroll
            carry, outputs = filter_scan(Partial(_step, self.cell), carry, steps, len(xs), self.reverse, unroll)
        return (outputs, carry) if self.return_carry else outputs

    def _checked_length(self, length: int | Array) -> Array:
        array = checked(self, "length", length, ())
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(f"{locate('length')} of `RNN` must be an integer, found {describe(length)}.")
        return array


def as_unroll(unroll: int | bool) -> int | bool:
    """Return the number of steps in one iteration of a loop: a positive integer, or a `bool` for all or one of them.

    **Raises**

    - `ValueError`: it is neither.
    """
    if isinstance(unroll, bool):
        return unroll
    number = as_size("unroll", unroll)
    if number == 0:
        raise ValueError(f"{locate('unroll')} must be a positive integer or a `bool`, found 0.")
    return number


def _is_known(cell: object) -> TypeIs[GRUCell | LSTMCell]:
    return isinstance(cell, (GRUCell, LSTMCell))


def _initial(cell: Any, xs: Array, hidden: Any) -> Any:
    """The initial hidden state, in the dtypes that the cell returns for such inputs."""
    if hidden is None:
        if not _is_known(cell):
            raise ValueError(
                f"{locate('hidden')} of `RNN` is needed for a cell of type `{type(cell).__name__}`: only of `GRUCell` "
                "and `LSTMCell` it is known what the hidden state consists of."
            )
        zeros = jnp.zeros(cell.hidden_size, cell.weight_hh.dtype)
        hidden = (zeros, zeros) if isinstance(cell, LSTMCell) else zeros

    def call(x: Array, hidden: Any) -> Any:
        return cell(x, hidden)

    struct: Any = jax.ShapeDtypeStruct  # its `__init__` has no types
    leaves, treedef = tree_flatten(jax.eval_shape(call, struct(xs.shape[1:], xs.dtype), hidden))
    given = tree_flatten(hidden)[0]
    if len(given) != len(leaves):
        return hidden  # the loop says how they differ
    return treedef.unflatten(jnp.asarray(x, leaf.dtype) for x, leaf in zip(given, leaves, strict=True))


def _step(cell: Any, hidden: Any, element: tuple[Array, Array | None, Array | None]) -> tuple[Any, Array]:
    x, key, counts = element
    new = cell(x, hidden, key=key)
    output: Array = jax.tree.leaves(new)[0]
    if counts is not None:

        def keep(new: Array, old: Array) -> Array:
            return jnp.where(counts, new, old)

        new, output = jax.tree.map(keep, new, hidden), jnp.where(counts, output, jnp.zeros_like(output))
    return new, output
