"""`CausalConv1d`: a convolution over time that looks back only, and that can be fed as the input comes in."""

from typing import Any, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import locate
from ._conv import Conv1d
from ._convolution import convolve
from ._initialise import Initialiser
from ._shapes import checked
from ._windows import PerAxis


class CausalConv1d(Conv1d):
    r"""A convolution over time, of which no output depends on later inputs, with zeros before the first one.

    $$y_{o, i} = b_o + \sum_{c, j} W_{o, c, j} \, x_{c,\, s i - d (k - 1 - j)}$$

    It is a [`Conv1d`][equinox.nn.Conv1d] with `padding="CAUSAL"` that can also be called with one chunk of the input
    after the other. What it has to remember is a buffer of the last $d (k - 1)$ inputs.

    van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `dilation`, `groups`, `use_bias` or `bias`, `dtype`,
        `key`, `weight_init`, `bias_init`: as in [`Conv`][equinox.nn.Conv].

    **Raises**

    - `ValueError`: as in [`Conv`][equinox.nn.Conv].

    **Example**
    ```python
    >>> conv = eqx.nn.CausalConv1d(1, 2, kernel_size=3, key=jax.random.key(0))
    >>> x = jnp.arange(6.0).reshape(1, 6)
    >>> whole = conv(x)
    >>> first, buffer = conv(x[:, :4], conv.init_buffer())
    >>> second, buffer = conv(x[:, 4:], buffer)
    >>> jnp.allclose(jnp.concatenate([first, second], axis=1), whole)
    Array(True, dtype=bool)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        dilation: PerAxis = 1,
        groups: int = 1,
        use_bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            "CAUSAL",
            dilation,
            groups,
            use_bias,
            dtype=dtype,
            key=key,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
        )

    def init_buffer(self, dtype: DTypeLike | None = None) -> Array:
        """Return the buffer to start with: zeros, as if nothing had come before.

        **Arguments**

        - `dtype`: of the inputs to remember, by default that of the weight.

        **Returns**

        An array of shape `(in_channels, dilation * (kernel_size - 1))`.
        """
        ((before, _),) = self._pads(())
        return jnp.zeros((self.in_channels, before), self.weight.dtype if dtype is None else dtype)

    @overload
    def __call__(self, x: Array, buffer: None = None, *, key: Array | None = None) -> Array: ...
    @overload
    def __call__(self, x: Array, buffer: Array, *, key: Array | None = None) -> tuple[Array, Array]: ...
    def __call__(self, x: Array, buffer: Array | None = None, *, key: Array | None = None) -> Any:
        """Convolve one example, or the next chunk of one.

        **Arguments**

        - `x`: shape `(in_channels, length)`.
        - `buffer`: the inputs that came before, as returned by the last call or by `init_buffer`. The length of `x` has
            to be a multiple of the stride then.
        - `key`: ignored.

        **Returns**

        An array of shape `(out_channels, length / stride)`, where the length is rounded up. If `buffer` is given, that
        and the new buffer as a pair.

        **Raises**

        - `ValueError`: `x` or `buffer` has another shape. For a batch of examples, use `jax.vmap`.
        """
        if buffer is None:
            return super().__call__(x)
        x = checked(self, "x", x, (self.in_channels, None))
        buffer = checked(self, "buffer", buffer, self.init_buffer().shape)
        (stride,) = self.stride
        if x.shape[1] % stride:
            raise ValueError(
                f"{locate('x')} of `CausalConv1d` must have a length that is a multiple of `stride={stride}` where "
                f"there is a buffer, found shape {x.shape}."
            )
        with jax.named_scope("eqx.nn.CausalConv1d"):
            remembered = jnp.concatenate([buffer.astype(x.dtype), x], axis=1)
            out = convolve(
                remembered,
                self.weight,
                self.bias,
                ((0, 0),),
                groups=self.groups,
                kernel_dilation=self.dilation,
                stride=self.stride,
            )
            return out, remembered[:, x.shape[1] :].astype(buffer.dtype)
