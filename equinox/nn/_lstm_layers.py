"""`LSTM`: long short-term memories along a sequence, in one or several layers."""

from collections.abc import Sequence

from jax import Array
from jax.tree_util import SequenceKey
from jax.typing import DTypeLike

from .._errors import locate
from ._dropout import Dropout
from ._initialise import Initialiser
from ._lstm import LSTMCell
from ._recurrent_layers import RecurrentLayers
from ._shapes import checked
from ._spelling import spelled


class LSTM(RecurrentLayers[LSTMCell]):
    r"""Reads a sequence with long short-term memories, whose formula is that of [`LSTMCell`][equinox.nn.LSTMCell].

    Each further layer reads the outputs $h$ of the one below. With two directions, each layer has a second cell that
    reads from the end to the beginning; the outputs of both, one after the other, are what the layer above gets.
    `lstm.layers[i][j].cell` is the cell of layer `i` for direction `j`.

    Hochreiter & Schmidhuber, *Long Short-Term Memory*, Neural Computation 9(8), 1997; for both directions Graves &
    Schmidhuber, *Framewise Phoneme Classification with Bidirectional LSTM*, Neural Networks 18(5-6), 2005.

    **Arguments**

    - `input_size`: the size of the elements of a sequence.
    - `hidden_size`: the size of each half of the hidden state of each cell.
    - `num_layers`: the number of layers, at least 1.
    - `bidirectional`: whether to read in both directions.
    - `dropout`: the probability of dropping an entry of what one layer hands to the next.
    - `bias`, or `use_bias`: whether the cells have a bias.
    - `inference`, or `deterministic`: whether to drop nothing. It is the flag of the layer's `dropout`.
    - `dtype`: of the parameters, as in `LSTMCell`.
    - `unroll`: as in [`RNN`][equinox.nn.RNN].
    - `weight_init`, `bias_init`: as in `LSTMCell`.
    - `key`: a PRNG key, for the initial parameters.

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `num_layers` or `unroll` is not a positive one; `dropout` is
        outside $[0, 1]$; `dtype` is an integer one.

    **Example**
    ```python
    >>> lstm = eqx.nn.LSTM(3, 4, num_layers=2, bidirectional=True, key=jax.random.key(0))
    >>> outputs, (h, c) = lstm(jnp.ones((10, 3)))
    >>> outputs.shape, h.shape, c.shape
    ((10, 8), (4, 4), (4, 4))

    ```
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | Array = 0.0,
        bias: bool = True,
        inference: bool = False,
        dtype: DTypeLike | None = None,
        *,
        unroll: int | bool = 1,
        key: Array,
        use_bias: bool | None = None,
        deterministic: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        use_bias = spelled(bias, use_bias=use_bias)

        def make_cell(size: int, key: Array) -> LSTMCell:
            return LSTMCell(size, hidden_size, use_bias, dtype, key=key, weight_init=weight_init, bias_init=bias_init)

        drop = Dropout(dropout, spelled(inference, deterministic=deterministic))
        super().__init__(make_cell, input_size, hidden_size, num_layers, bidirectional, drop, use_bias, unroll, key)

    def __call__(
        self,
        xs: Array,
        hidden: Sequence[Array] | None = None,
        *,
        length: int | Array | None = None,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, tuple[Array, Array]]:
        """Read one sequence.

        **Arguments**

        - `xs`: shape `(time, input_size)`.
        - `hidden`: the hidden states at the beginning, a pair `(h, c)` of arrays of shape
            `(num_layers * directions, hidden_size)`: those of the first layer, in forward and then in backward
            direction, those of the second layer, and so on. By default zeros.
        - `length`: an integer, the number of elements that count, which may be traced. The others, at the end, do not
            change the hidden state, and their outputs are zero.
        - `key`: a PRNG key for dropout.
        - `inference`, or `deterministic`: if given, decides instead of the flag of `dropout`.

        **Returns**

        The outputs of the last layer, of shape `(time, directions * hidden_size)`; and the last hidden state of each
        cell, in the order and shape of `hidden`.

        **Raises**

        - `ValueError`: `xs`, `h`, `c` or `length` has another shape (for a batch of sequences, use `jax.vmap`);
            `inference` and `deterministic` are both given and differ.
        - `TypeError`: `length` is not an integer.
        - `RuntimeError`: dropout needs a `key`, and there is none.
        """
        xs = checked(self, "xs", xs, (None, self.input_size))
        if hidden is not None:
            if len(hidden) != 2:
                raise ValueError(f"{locate('hidden')} of `LSTM` must be a pair `(h, c)`, found {len(hidden)} items.")
            shape = self._hidden_shape
            hidden = tuple(checked(self, "hidden", x, shape, (SequenceKey(i),)) for i, x in enumerate(hidden))
        return self._read(xs, hidden, length, key, inference=inference, deterministic=deterministic)
