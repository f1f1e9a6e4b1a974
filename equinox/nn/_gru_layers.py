"""`GRU`: gated recurrent units along a sequence, in one or several layers."""

from jax import Array
from jax.typing import DTypeLike

from ._dropout import Dropout
from ._gru import GRUCell
from ._initialise import Initialiser
from ._recurrent_layers import RecurrentLayers
from ._shapes import checked
from ._spelling import spelled


class GRU(RecurrentLayers[GRUCell]):
    r"""Reads a sequence with gated recurrent units, whose formula is that of [`GRUCell`][equinox.nn.GRUCell].

    Each further layer reads the outputs of the one below. With two directions, each layer has a second cell that reads
    from the end to the beginning; the outputs of both, one after the other, are what the layer above gets.
    `gru.layers[i][j].cell` is the cell of layer `i` for direction `j`.

    Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation*,
    EMNLP 2014; for both directions Schuster & Paliwal, *Bidirectional Recurrent Neural Networks*, IEEE Transactions on
    Signal Processing 45(11), 1997.

    **Arguments**

    - `input_size`: the size of the elements of a sequence.
    - `hidden_size`: the size of the hidden state of each cell.
    - `num_layers`: the number of layers, at least 1.
    - `bidirectional`: whether to read in both directions.
    - `dropout`: the probability of dropping an entry of what one layer hands to the next.
    - `bias`, or `use_bias`: whether the cells have biases.
    - `inference`, or `deterministic`: whether to drop nothing. It is the flag of the layer's `dropout`.
    - `dtype`: of the parameters, as in `GRUCell`.
    - `unroll`: as in [`RNN`][equinox.nn.RNN].
    - `weight_init`, `bias_init`: as in `GRUCell`.
    - `key`: a PRNG key, for the initial parameters.

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `num_layers` or `unroll` is not a positive one; `dropout` is
        outside $[0, 1]$; `dtype` is an integer one.

    **Example**
    ```python
    >>> gru = eqx.nn.GRU(3, 4, num_layers=2, bidirectional=True, key=jax.random.key(0))
    >>> outputs, hidden = gru(jnp.ones((10, 3)))
    >>> outputs.shape, hidden.shape
    ((10, 8), (4, 4))

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

        def make_cell(size: int, key: Array) -> GRUCell:
            return GRUCell(size, hidden_size, use_bias, dtype, key=key, weight_init=weight_init, bias_init=bias_init)

        drop = Dropout(dropout, spelled(inference, deterministic=deterministic))
        super().__init__(make_cell, input_size, hidden_size, num_layers, bidirectional, drop, use_bias, unroll, key)

    def __call__(
        self,
        xs: Array,
        hidden: Array | None = None,
        *,
        length: int | Array | None = None,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, Array]:
        """Read one sequence.

        **Arguments**

        - `xs`: shape `(time, input_size)`.
        - `hidden`: the hidden states at the beginning, shape `(num_layers * directions, hidden_size)`: those of the
            first layer, in forward and then in backward direction, those of the second layer, and so on. By default
            zeros.
        - `length`: an integer, the number of elements that count, which may be traced. The others, at the end, do not
            change the hidden state, and their outputs are zero.
        - `key`: a PRNG key for dropout.
        - `inference`, or `deterministic`: if given, decides instead of the flag of `dropout`.

        **Returns**

        The outputs of the last layer, of shape `(time, directions * hidden_size)`; and the last hidden state of each
        cell, in the order and shape of `hidden`.

        **Raises**

        - `ValueError`: `xs`, `hidden` or `length` has another shape (for a batch of sequences, use `jax.vmap`);
            `inference` and `deterministic` are both given and differ.
        - `TypeError`: `length` is not an integer.
        - `RuntimeError`: dropout needs a `key`, and there is none.
        """
        xs = checked(self, "xs", xs, (None, self.input_size))
        if hidden is not None:
            hidden = checked(self, "hidden", hidden, self._hidden_shape)
        return self._read(xs, hidden, length, key, inference=inference, deterministic=deterministic)
