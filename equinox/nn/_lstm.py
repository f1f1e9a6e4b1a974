"""`LSTMCell`: one step of a long short-term memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import SequenceKey
from jax.typing import DTypeLike

from .._errors import locate
from .._module import Module, field
from ._initialise import Initialiser, initial_value
from ._shapes import as_size, checked
from ._spelling import spelled


class LSTMCell(Module):
    r"""One step of a long short-term memory. For a sequence, use it as the body of a `jax.lax.scan`.

    With the rows of $W_{ih} x + W_{hh} h + b$ in four blocks, named $i$ (input gate), $f$ (forget gate), $g$ and $o$
    (output gate):

    $$c' = \sigma(f) \odot c + \sigma(i) \odot \tanh(g), \quad h' = \sigma(o) \odot \tanh(c').$$

    Hochreiter & Schmidhuber, *Long Short-Term Memory*, Neural Computation 9(8), 1997 (with the forget gate of Gers,
    Schmidhuber & Cummins, 2000).

    All parameters start uniform on $[-a, a)$ with $a = 1 / \sqrt{\text{hidden_size}}$ (and $a = 1$ if that is 0).

    **Arguments**

    - `input_size`: the number of inputs.
    - `hidden_size`: the size of each half of the hidden state.
    - `bias`, or `use_bias`: whether there is a bias. (`cell.use_bias` is this flag, `cell.bias` the parameter.)
    - `dtype`: of the parameters, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weights and biases instead: functions of a PRNG
        key, a shape and a dtype, as in `jax.nn.initializers`, for which see [`out_first`][equinox.nn.out_first].

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `dtype` is an integer one; what `weight_init` or `bias_init`
        returns has another shape or dtype.

    **Example**
    ```python
    >>> cell = eqx.nn.LSTMCell(3, 4, key=jax.random.key(0))
    >>> def step(hidden, x):
    ...     return cell(x, hidden), None
    >>> (h, c), _ = jax.lax.scan(step, (jnp.zeros(4), jnp.zeros(4)), jnp.ones((10, 3)))
    >>> h.shape, c.shape
    ((4,), (4,))

    ```
    """

    weight_ih: Final[Array]
    weight_hh: Final[Array]
    bias: Final[Array | None]
    input_size: Final[int]
    hidden_size: Final[int]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        input_size = field(static=True)
        hidden_size = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        use_bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.input_size = as_size("input_size", input_size)
        self.hidden_size = as_size("hidden_size", hidden_size)
        self.use_bias = bool(spelled(bias, use_bias=use_bias))
        size = self.hidden_size
        ih_key, hh_key, bias_key = jax.random.split(key, 3)
        self.weight_ih = initial_value("weight_init", weight_init, ih_key, (4 * size, self.input_size), size, dtype)
        self.weight_hh = initial_value("weight_init", weight_init, hh_key, (4 * size, size), size, dtype)
        self.bias = initial_value("bias_init", bias_init, bias_key, (4 * size,), size, dtype) if self.use_bias else None

    def __call__(self, input: Array, hidden: Sequence[Array], *, key: Array | None = None) -> tuple[Array, Array]:
        """Make one step.

        **Arguments**

        - `input`: shape `(input_size,)`.
        - `hidden`: the hidden state, a pair `(h, c)` of arrays of shape `(hidden_size,)`. What is usually called the
          output is `h`.
        - `key`: ignored.

        **Returns**

        The next hidden state, again a pair `(h, c)`.

        **Raises**

        - `ValueError`: `input`, `h` or `c` has another shape. For a batch, use `jax.vmap`.
        """
        input = checked(self, "input", input, (self.input_size,))
        if len(hidden) != 2:
            raise ValueError(
                f"{locate('hidden')} of `{type(self).__name__}` must be a pair `(h, c)`, found {len(hidden)} items."
            )
        h, c = (checked(self, "hidden", x, (self.hidden_size,), (SequenceKey(i),)) for i, x in enumerate(hidden))
        with jax.named_scope("eqx.nn.LSTMCell"):
            gates = self.weight_ih @ input + self.weight_hh @ h
            if self.bias is not None:
                gates = gates + self.bias
            input_gate, forget_gate, cell_gate, output_gate = jnp.split(gates, 4)
            c = jax.nn.sigmoid(forget_gate) * c + jax.nn.sigmoid(input_gate) * jnp.tanh(cell_gate)
            h = jax.nn.sigmoid(output_gate) * jnp.tanh(c)
            return h, c
