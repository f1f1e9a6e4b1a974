"""`DepthwiseConv` and `SeparableConv`: convolutions that do not mix all channels at all positions."""

from typing import Final

import jax
from jax import Array
from jax.typing import DTypeLike

from .._module import Module
from ._conv import Conv
from ._convolution import Padding
from ._initialise import Initialiser
from ._shapes import as_size, checked
from ._spelling import spelled
from ._windows import PerAxis


class DepthwiseConv(Conv):
    """A convolution of each channel by itself.

    It is a [`Conv`][equinox.nn.Conv] with as many groups as there are channels.

    **Arguments**

    - `num_spatial_dims`, `in_channels`, `kernel_size`, `stride`, `padding`, `dilation`, `use_bias` or `bias`,
        `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in `Conv`.
    - `multiplier`: how many channels of the output there are for each channel of the input.

    **Raises**

    - `ValueError`: as in `Conv`.

    **Example**
    ```python
    >>> conv = eqx.nn.DepthwiseConv(2, 3, kernel_size=5, multiplier=2, padding="same", key=jax.random.key(0))
    >>> conv.weight.shape
    (6, 1, 5, 5)
    >>> conv(jnp.ones((3, 8, 8))).shape
    (6, 8, 8)

    ```
    """

    def __init__(
        self,
        num_spatial_dims: int,
        in_channels: int,
        kernel_size: PerAxis,
        multiplier: int = 1,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        use_bias: bool = True,
        padding_mode: str = "ZEROS",
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        channels = as_size("in_channels", in_channels)
        super().__init__(
            num_spatial_dims,
            channels,
            channels * as_size("multiplier", multiplier),
            kernel_size,
            stride,
            padding,
            dilation,
            max(channels, 1),
            use_bias,
            padding_mode,
            dtype,
            key=key,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
        )


class SeparableConv(Module):
    """A convolution in two steps: first of each channel by itself, then of all channels at each position by itself.

    That takes fewer parameters and operations than one [`Conv`][equinox.nn.Conv] of the same size. Only the second step
    has a bias.

    Chollet, *Xception: Deep Learning with Depthwise Separable Convolutions*, CVPR 2017.

    **Arguments**

    - `num_spatial_dims`, `in_channels`, `out_channels`, `kernel_size`, `stride`, `padding`, `dilation`, `use_bias` or
        `bias`, `padding_mode`, `dtype`, `weight_init`, `bias_init`: as in `Conv`.
    - `multiplier`: how many channels there are in between for each channel of the input.
    - `key`: a PRNG key, for the initial parameters: the first half is for `depthwise`, the second for `pointwise`.

    **Raises**

    - `ValueError`: as in `Conv`.

    **Example**
    ```python
    >>> conv = eqx.nn.SeparableConv(2, 16, 32, kernel_size=3, key=jax.random.key(0))
    >>> eqx.nn.count_params(conv), eqx.nn.count_params(eqx.nn.Conv2d(16, 32, kernel_size=3, key=jax.random.key(0)))
    (688, 4640)

    ```
    """

    depthwise: Final[DepthwiseConv]
    pointwise: Final[Conv]

    def __init__(
        self,
        num_spatial_dims: int,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        multiplier: int = 1,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        use_bias: bool = True,
        padding_mode: str = "ZEROS",
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        depthwise_key, pointwise_key = jax.random.split(key)
        self.depthwise = DepthwiseConv(
            num_spatial_dims,
            in_channels,
            kernel_size,
            multiplier,
            stride,
            padding,
            dilation,
            False,
            padding_mode,
            dtype,
            key=depthwise_key,
            weight_init=weight_init,
        )
        self.pointwise = Conv(
            num_spatial_dims,
            self.depthwise.out_channels,
            out_channels,
            1,
            use_bias=spelled(use_bias, bias=bias),
            dtype=dtype,
            key=pointwise_key,
            weight_init=weight_init,
            bias_init=bias_init,
        )

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Convolve one example.

        **Arguments**

        - `x`: shape `(in_channels, *spatial)`, with `num_spatial_dims` spatial axes.
        - `key`: ignored.

        **Returns**

        An array of shape `(out_channels, *spatial)`, with other lengths of the spatial axes.

        **Raises**

        - `ValueError`: `x` has another number of axes or channels. For a batch of examples, use `jax.vmap`.
        """
        axes = self.depthwise.num_spatial_dims
        x = checked(self, "x", x, (self.depthwise.in_channels, *[None] * axes))
        with jax.named_scope("eqx.nn.SeparableConv"):
            return self.pointwise(self.depthwise(x))
