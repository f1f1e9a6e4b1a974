"""What `GRU` and `LSTM` have in common: layers of cells, each reading the outputs of the layer below."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import Module, field
from ._dropout import Dropout
from ._rnn import RNN
from ._shapes import as_size
from ._spelling import spelled

_Cell = TypeVar("_Cell", bound=Callable[..., Any])


class RecurrentLayers(Module, Generic[_Cell]):
    """Layers of recurrent cells, in one or in both directions, with dropout in between."""

    layers: Final[tuple[tuple[RNN[_Cell, Literal[True]], ...], ...]]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    dropout: Final[Dropout]
    input_size: Final[int]
    hidden_size: Final[int]
    num_layers: Final[int]
    bidirectional: Final[bool]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        input_size = field(static=True)
        hidden_size = field(static=True)
        num_layers = field(static=True)
        bidirectional = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        make_cell: Callable[[int, Array], _Cell],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: Dropout,
        use_bias: bool,
        unroll: int | bool,
        key: Array,
    ) -> None:
        self.input_size = as_size("input_size", input_size)
        self.hidden_size = as_size("hidden_size", hidden_size)
        self.num_layers = as_size("num_layers", num_layers)
        if self.num_layers == 0:
            raise ValueError(f"{locate('num_layers')} must be at least 1, found 0.")
        self.bidirectional = bool(bidirectional)
        self.use_bias = bool(use_bias)
        self.dropout = dropout
        directions = 2 if self.bidirectional else 1
        keys = iter(jax.random.split(key, self.num_layers * directions))

        def make_layer(size: int) -> tuple[RNN[_Cell, Literal[True]], ...]:
            return tuple(
                RNN(make_cell(size, next(keys)), reverse=reverse, unroll=unroll, return_carry=True)
                for reverse in (False, True)[:directions]
            )

        sizes = (self.input_size, *[directions * self.hidden_size] * (self.num_layers - 1))
        self.layers = tuple(make_layer(size) for size in sizes)

    @property
    def _hidden_shape(self) -> tuple[int, int]:
        return self.num_layers * (2 if self.bidirectional else 1), self.hidden_size

    def _read(
        self, xs: Array, hidden: Any, length: int | Array | None, key: Array | None, **spellings: bool | None
    ) -> tuple[Array, Any]:
        """The outputs of the last layer; and of all cells the last hidden states, stacked.

        Of `hidden`, whose arrays are stacked likewise, each cell gets its own row.
        """
        inference = spelled(self.dropout.inference, **spellings)
        gaps = self.num_layers - 1
        keys = [None] * gaps if key is None or not gaps else list(jax.random.split(key, gaps))
        carries: list[Any] = []
        with jax.named_scope(f"eqx.nn.{type(self).__name__}"):
            for i, layer in enumerate(self.layers):
                if i > 0:
                    xs = self.dropout(xs, key=keys[i - 1], inference=inference)
                outputs: list[Array] = []
                for rnn in layer:
                    output, carry = rnn(xs, _row(hidden, len(carries)), length=length)
                    outputs.append(output)
                    carries.append(carry)
                xs = jnp.concatenate(outputs, axis=-1)
            return xs, jax.tree.map(_stack, *carries)


def _row(hidden: Any, i: int) -> Any:
    def row(array: Array) -> Array:
        return array[i]

    return jax.tree.map(row, hidden)


def _stack(*arrays: Array) -> Array:
    return jnp.stack(arrays)
