"""`StackedLayers`: many equal layers as one layer whose arrays have a leading axis, and as one loop."""

import copy
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Generic, SupportsIndex, overload

import jax
import jax.numpy as jnp
from jax import Array
from typing_extensions import TypeVar

from .._errors import describe, locate
from .._module import Partial, field
from .._sentinel import sentinel
from .._transforms.checkpoint import filter_checkpoint
from .._transforms.scan import filter_scan
from .._transforms.vmap import filter_vmap
from .._tree.partition import combine, partition
from .._tree.predicates import is_array
from ._rnn import as_unroll
from ._shapes import as_size
from ._state import State
from ._state_index import StateIndex, is_index, renamed
from ._stateful import StatefulLayer, is_stateful

_X = TypeVar("_X")
_Row = TypeVar("_Row")
_Output = TypeVar("_Output")
_Carry = TypeVar("_Carry")
_Layer_co = TypeVar("_Layer_co", covariant=True, default=Any)


class StackedLayers(StatefulLayer, Generic[_Layer_co]):
    """Layers that differ only in the values of their arrays, one after the other. Also named `Repeated`.

    The numbers are those of a [`Sequential`][equinox.nn.Sequential] of such layers. But the layers are traced and
    compiled only once, however many there are, as the body of a `jax.lax.scan`.

    `stack.layers` is one layer whose arrays have an additional leading axis, which counts the layers. `stack[i]` is a
    single layer, `stack[i:j]` a stack of some of them; `len(stack)` and iteration work too.

    **Arguments**

    - `make`: a function of a PRNG key that makes a layer. It is called once, under
        [`filter_vmap`][equinox.filter_vmap].
    - `n`: the number of layers.
    - `remat`: whether the gradient computes what is inside of a layer again instead of storing it. What is stored then
        are only the inputs of the layers.
    - `unroll`: how many layers to have in one iteration of the compiled loop, as in `jax.lax.scan`.
    - `key`: a PRNG key, of which each layer gets its own part.

    **Raises**

    - `ValueError`: `n` is not a non-negative integer; `unroll` is neither a positive integer nor a `bool`.

    **Example**
    ```python
    >>> def make(key):
    ...     return eqx.nn.MLP(4, 4, width_size=8, depth=1, key=key)
    >>> stack = eqx.nn.StackedLayers(make, 20, key=jax.random.key(0))
    >>> stack.layers.layers[0].weight.shape, stack[3].layers[0].weight.shape
    ((20, 8, 4), (8, 4))
    >>> stack(jnp.ones(4)).shape
    (4,)

    ```
    """

    layers: Final[_Layer_co]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    n: Final[int]
    remat: Final[bool]
    unroll: Final[int | bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        n = field(static=True)
        remat = field(static=True)
        unroll = field(static=True)

    def __init__(
        self,
        make: Callable[[Array], _Layer_co],
        n: int,
        *,
        key: Array,
        remat: bool = False,
        unroll: int | bool = 1,
    ) -> None:
        self.n = as_size("n", n)
        self.remat = bool(remat)
        self.unroll = as_unroll(unroll)
        self.layers = filter_vmap(Partial(_made, make))(jax.random.split(key, self.n))

    @overload
    def __call__(self, x: _X, *, key: Array | None = None) -> _X: ...
    @overload
    def __call__(self, x: _X, state: State, *, key: Array | None = None) -> tuple[_X, State]: ...
    def __call__(self, x: Any, state: Any = sentinel, *, key: Array | None = None) -> Any:
        """Pass `x` through all layers, each of which is called as `layer(x, key=key)`.

        A [`StatefulLayer`][equinox.nn.StatefulLayer] is called as `layer(x, state=state, key=key)`, with the values of
        the state that are its own. To call the layers in another way, use `scan`.

        **Arguments**

        - `x`: what the layers accept and return, in structure, shapes and dtypes always the same.
        - `state`: a [`State`][equinox.nn.State]. It may be left out if the layers are not stateful.
        - `key`: a PRNG key, of which each layer gets its own part.

        **Returns**

        The output of the last layer; if `state` is given, that and the new state as a pair.

        **Raises**

        - `ValueError`: `state` is missing or not a `State`, although the layers are stateful.
        - `TypeError`: the layers return something of another structure, shape or dtype than they are given.
        """
        keys = None if key is None else jax.random.split(key, self.n)
        with jax.named_scope("eqx.nn.StackedLayers"):
            if not self.is_stateful():
                x, _ = self.scan(_call, x, keys)
                return x if state is sentinel else (x, state)
            if not isinstance(state, State):
                found = "none" if state is sentinel else describe(state)
                raise ValueError(
                    f"{locate('state')} of `StackedLayers` must be a `State`, because its layers of type "
                    f"`{type(self.layers).__name__}` are stateful; found {found}. Call it as "
                    "`out, state = stack(x, state)`."
                )
            x, substate = self.scan(_call_with_state, x, (state.substate(self.layers), keys))
            return x, state.update(substate)

    @overload
    def scan(
        self, step: Callable[[_Layer_co, _Carry, _Row], tuple[_Carry, _Output]], carry: _Carry, xs: _Row
    ) -> tuple[_Carry, _Output]: ...
    @overload
    def scan(
        self, step: Callable[[_Layer_co, _Carry, None], tuple[_Carry, _Output]], carry: _Carry
    ) -> tuple[_Carry, _Output]: ...
    def scan(self, step: Callable[[Any, Any, Any], Any], carry: Any, xs: Any = None) -> Any:
        """Call the layers one after the other in whatever way is needed, with inputs and outputs of each.

        **Arguments**

        - `step`: a function of a single layer, the carry and one row of `xs`. It returns the next carry and an output.
            The next carry must be like the one before it in structure, in the shapes and dtypes of arrays, and in every
            leaf that is no array.
        - `carry`: what the first layer gets.
        - `xs`: a PyTree of arrays, of which each layer gets its own row, that is, one index along the first axis.

        **Returns**

        The last carry; and the outputs, in which the rows of each array are stacked along a new first axis.

        **Raises**

        - `TypeError`: `step` does not return a pair, or the next carry differs in more than the values of arrays.
        - `ValueError`: an array in `xs` has not `n` rows.

        **Example**
        ```python
        >>> stack = eqx.nn.StackedLayers(lambda key: eqx.nn.Linear(2, 2, key=key), 3, key=jax.random.key(0))
        >>> def step(layer, x, scale):
        ...     x = jnp.tanh(scale * layer(x))
        ...     return x, x
        >>> x, outputs = stack.scan(step, jnp.ones(2), jnp.array([1.0, 0.5, 0.2]))
        >>> outputs.shape
        (3, 2)

        ```
        """
        one = Partial(_with_layer, step)
        body: Any = filter_checkpoint(one, prevent_cse=False) if self.remat else one
        return filter_scan(body, carry, (self.layers, xs), length=self.n, unroll=self.unroll)

    def is_stateful(self) -> bool:
        """Whether the layers are stateful."""
        return is_stateful(self.layers)

    @overload
    def __getitem__(self, i: SupportsIndex) -> _Layer_co: ...
    @overload
    def __getitem__(self, i: slice) -> "StackedLayers[_Layer_co]": ...
    def __getitem__(self, i: SupportsIndex | slice) -> Any:
        if isinstance(i, slice):
            return self._part(i)
        if not hasattr(i, "__index__"):
            raise TypeError(f"`StackedLayers` is indexed with an integer or a slice, found {describe(i)}.")
        index = operator.index(i)
        if not -self.n <= index < self.n:
            raise IndexError(f"There are {self.n} layers: there is none with index {index}.")
        return _rows(self.layers, index)

    def __iter__(self) -> Iterator[_Layer_co]:
        return (self[i] for i in range(self.n))

    def __len__(self) -> int:
        return self.n

    def _part(self, rows: slice) -> "StackedLayers[_Layer_co]":
        part = copy.copy(self)
        object.__setattr__(part, "layers", _rows(self.layers, rows))  # Nobody else has this object yet.
        object.__setattr__(part, "n", len(range(self.n)[rows]))
        return part


Repeated = StackedLayers
"""Another name of [`StackedLayers`][equinox.nn.StackedLayers]."""


def _made(make: Callable[[Array], _X], key: Array) -> _X:
    """Make one layer, with arrays as initial values of its state, so that each layer has its own."""

    def as_array(leaf: Any) -> Array:
        return jnp.asarray(leaf)

    def with_arrays(node: Any) -> Any:
        if not is_index(node):
            return node
        index: StateIndex[Any] = StateIndex(jax.tree.map(as_array, node.init))
        return renamed(index, node.marker)

    layer: _X = jax.tree.map(with_arrays, make(key), is_leaf=is_index)
    return layer


def _rows(layers: _X, rows: int | slice) -> _X:
    arrays, others = partition(layers, is_array)

    def row(array: Array) -> Array:
        return array[rows]

    selected: _X = combine(jax.tree.map(row, arrays), others)
    return selected


def _with_layer(step: Callable[[Any, Any, Any], Any], carry: Any, row: tuple[Any, Any]) -> Any:
    layer, x = row
    return step(layer, carry, x)


def _call(layer: Any, x: Any, key: Array | None) -> tuple[Any, None]:
    return layer(x, key=key), None


def _call_with_state(layer: Any, x: Any, row: tuple[State, Array | None]) -> tuple[Any, State]:
    state, key = row
    x, state = layer(x, state=state, key=key)
    return x, state
