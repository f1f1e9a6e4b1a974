"""`FeedForward`: the two linear layers that a transformer applies to each element of a sequence."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import jax
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from ._activation import activate, with_copies
from ._dropout import Dropout
from ._initialise import Initialiser
from ._linear import Linear
from ._shapes import as_size, checked
from ._spelling import spelled


class FeedForward(Module):
    r"""Two linear layers with an activation, and dropout, in between.

    $$W_2\, \text{dropout}(\text{activation}(W_1 x + b_1)) + b_2$$

    with $W_1$ and $b_1$ those of `hidden`, and $W_2$ and $b_2$ those of `output`.

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017.

    **Arguments**

    - `size`: the number of inputs and of outputs.
    - `ff_size`: the number of hidden neurons, by default `4 * size`.
    - `dropout`: the probability of dropping a hidden neuron.
    - `activation`: the function of the hidden neurons, as in [`MLP`][equinox.nn.MLP].
    - `use_bias`, or `bias`: whether the linear layers have a bias.
    - `inference`, or `deterministic`: whether to drop nothing. It is the flag of the layer's `dropout`.
    - `dtype`, `weight_init`, `bias_init`: as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `dropout` is outside $[0, 1]$; `dtype` is an integer one.

    **Example**
    ```python
    >>> feed_forward = eqx.nn.FeedForward(4, activation=jax.nn.gelu, key=jax.random.key(0))
    >>> feed_forward.hidden.weight.shape
    (16, 4)
    >>> jax.vmap(feed_forward)(jnp.ones((10, 4))).shape
    (10, 4)

    ```
    """

    hidden: Final[Linear]
    output: Final[Linear]
    activation: Final[Callable[[Array], Array]]
    dropout: Final[Dropout]
    size: Final[int]
    ff_size: Final[int]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        size = field(static=True)
        ff_size = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        size: int,
        ff_size: int | None = None,
        dropout: float | Array = 0.0,
        activation: Callable[[Array], Array] = jax.nn.relu,
        use_bias: bool = True,
        inference: bool = False,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        deterministic: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.size = as_size("size", size)
        self.ff_size = 4 * self.size if ff_size is None else as_size("ff_size", ff_size)
        self.use_bias = bool(spelled(use_bias, bias=bias))

        def linear(columns: int, rows: int, key: Array) -> Linear:
            return Linear(columns, rows, self.use_bias, dtype, key=key, weight_init=weight_init, bias_init=bias_init)

        hidden_key, output_key = jax.random.split(key)
        self.hidden = linear(self.size, self.ff_size, hidden_key)
        self.output = linear(self.ff_size, self.size, output_key)
        self.activation = with_copies(activation, (self.ff_size,))
        self.dropout = Dropout(dropout, spelled(inference, deterministic=deterministic))

    def __call__(
        self,
        x: Array,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> Array:
        """Apply both layers to one vector.

        **Arguments**

        - `x`: shape `(size,)`.
        - `key`: a PRNG key for dropout.
        - `inference`, or `deterministic`: if given, decides instead of the flag of `dropout`.

        **Returns**

        An array of shape `(size,)`.

        **Raises**

        - `ValueError`: `x` has another shape (for a sequence, use `jax.vmap`); `inference` and `deterministic` are both
            given and differ.
        - `RuntimeError`: dropout needs a `key`, and there is none.
        """
        x = checked(self, "x", x, (self.size,))
        with jax.named_scope("eqx.nn.FeedForward"):
            hidden = activate(self.activation, self.hidden(x))
            return self.output(self.dropout(hidden, key=key, inference=inference, deterministic=deterministic))
