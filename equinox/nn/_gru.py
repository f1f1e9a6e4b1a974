"""`GRUCell`: one step of a gated recurrent unit."""

from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from ._initialise import Initialiser, initial_value
from ._shapes import as_size, checked
from ._spelling import spelled


class GRUCell(Module):
    r"""One step of a gated recurrent unit. For a sequence, use it as the body of a `jax.lax.scan`.

    With the rows of $i = W_{ih} x + b$ and of $g = W_{hh} h$ in three blocks, named $r$ (reset), $z$ (update) and $n$:

    $$r = \sigma(i_r + g_r), \quad z = \sigma(i_z + g_z), \quad n = \tanh(i_n + r \odot (g_n + b_n)), \quad
    h' = n + z \odot (h - n).$$

    Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation*,
    EMNLP 2014 (with the reset gate applied after the matrix, as PyTorch and cuDNN have it).

    All parameters start uniform on $[-a, a)$ with $a = 1 / \sqrt{\text{hidden_size}}$ (and $a = 1$ if that is 0).

    **Arguments**

    - `input_size`: the number of inputs.
    - `hidden_size`: the size of the hidden state.
    - `bias`, or `use_bias`: whether there are biases. (`cell.use_bias` is this flag, `cell.bias` a parameter.)
    - `dtype`: of the parameters, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weights and biases instead: functions of a PRNG
        key, a shape and a dtype, as in `jax.nn.initializers`, for which see [`out_first`][equinox.nn.out_first].

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `dtype` is an integer one; what `weight_init` or `bias_init`
        returns has another shape or dtype.

    **Example**
    ```python
    >>> cell = eqx.nn.GRUCell(3, 4, key=jax.random.key(0))
    >>> def step(hidden, x):
    ...     return cell(x, hidden), None
    >>> hidden, _ = jax.lax.scan(step, jnp.zeros(4), jnp.ones((10, 3)))
    >>> hidden.shape
    (4,)

    ```
    """

    weight_ih: Final[Array]
    weight_hh: Final[Array]
    bias: Final[Array | None]
    bias_n: Final[Array | None]
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
        ih_key, hh_key, bias_key, bias_n_key = jax.random.split(key, 4)
        self.weight_ih = initial_value("weight_init", weight_init, ih_key, (3 * size, self.input_size), size, dtype)
        self.weight_hh = initial_value("weight_init", weight_init, hh_key, (3 * size, size), size, dtype)
        self.bias = initial_value("bias_init", bias_init, bias_key, (3 * size,), size, dtype) if self.use_bias else None
        self.bias_n = initial_value("bias_init", bias_init, bias_n_key, (size,), size, dtype) if self.use_bias else None

    def __call__(self, input: Array, hidden: Array, *, key: Array | None = None) -> Array:
        """Make one step.

        **Arguments**

        - `input`: shape `(input_size,)`.
        - `hidden`: the hidden state, shape `(hidden_size,)`.
        - `key`: ignored.

        **Returns**

        The next hidden state, shape `(hidden_size,)`.

        **Raises**

        - `ValueError`: `input` or `hidden` has another shape. For a batch, use `jax.vmap`.
        """
        input = checked(self, "input", input, (self.input_size,))
        hidden = checked(self, "hidden", hidden, (self.hidden_size,))
        with jax.named_scope("eqx.nn.GRUCell"):
            from_input = self.weight_ih @ input
            if self.bias is not None:
                from_input = from_input + self.bias
            input_reset, input_update, input_new = jnp.split(from_input, 3)
            hidden_reset, hidden_update, hidden_new = jnp.split(self.weight_hh @ hidden, 3)
            if self.bias_n is not None:
                hidden_new = hidden_new + self.bias_n
            reset = jax.nn.sigmoid(input_reset + hidden_reset)
            update = jax.nn.sigmoid(input_update + hidden_update)
            new = jnp.tanh(input_new + reset * hidden_new)
            return new + update * (hidden - new)
