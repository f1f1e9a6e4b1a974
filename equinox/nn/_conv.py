"""`Conv`: a convolution over any number of spatial axes, and `Conv1d`, `Conv2d`, `Conv3d`."""

from typing import TYPE_CHECKING, Final, Literal

import jax
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._convolution import (
    Padding,
    PaddingMode,
    PaddingName,
    as_groups,
    as_padding,
    as_padding_mode,
    convolve,
    initial_parameters,
    padded,
)
from ._initialise import Initialiser
from ._shapes import as_size, checked
from ._spelling import spelled
from ._windows import Pads, PerAxis, per_axis


class Conv(Module):
    r"""A convolution: the same affine transformation of the neighbourhood of every position.

    As usual for neural networks it is a cross-correlation, whose kernel is not flipped. Over one spatial axis, with
    $W$ = `weight`, $b$ = `bias`, stride $s$, dilation $d$, and padding $p$ before the first entry,

    $$y_{o, i} = b_o + \sum_{c, j} W_{o, c, j} \, x_{c, s i + d j - p}$$

    and over several axes likewise. With `groups`, the sum for an output channel is over the input channels of its
    group. The length of an axis goes from $L$ to $\lfloor (L + p_0 + p_1 - d (k - 1) - 1) / s \rfloor + 1$, or to 0 if
    that is negative.

    `weight` has the shape `(out_channels, in_channels / groups, *kernel_size)`, `bias` the shape
    `(out_channels, 1, ..., 1)`. Both start uniform on $[-a, a)$, where $1 / a^2$ is the number of terms in the sum (and
    $a = 1$ if that is 0).

    LeCun et al., *Backpropagation Applied to Handwritten Zip Code Recognition*, Neural Computation 1, 1989.

    **Arguments**

    - `num_spatial_dims`: the number of spatial axes $n$.
    - `in_channels`: the number of channels of the input.
    - `out_channels`: the number of channels of the output.
    - `kernel_size`: the length of the kernel $k$, one for all spatial axes or one for each.
    - `stride`: by how many entries of the input two neighbours in the output are apart, for all axes or for each.
    - `padding`: how many entries are added before and after each spatial axis. One integer for all axes, an integer
        for each axis, or a pair (before, after) for each axis; where they are negative, entries are left out. Or the
        name of a rule: `"VALID"` adds none, `"SAME"` as many as it takes for an output of length
        $\lceil L / s \rceil$, half of them on each side and an odd one after, `"SAME_LOWER"` likewise with an odd one
        before. `"CAUSAL"`, for a single spatial axis, adds $d (k - 1)$ before, so that no entry of the output depends
        on later ones of the input.
    - `dilation`: by how many entries of the input two neighbours in the kernel are apart, for all axes or for each.
    - `groups`: into how many groups the channels of input and output are divided; each group has its own convolution.
    - `use_bias`, or `bias`: whether there is a bias. (`conv.use_bias` is this flag, `conv.bias` the parameter.)
    - `padding_mode`: what the added entries are. `"ZEROS"`; `"REFLECT"`, mirrored at the first and last entry;
        `"REPLICATE"`, copies of these two; or `"CIRCULAR"`, those of the opposite side.
    - `dtype`: of the parameters, as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weight and bias instead: functions of a PRNG
        key, a shape and a dtype, as in `jax.nn.initializers`, for which see [`out_first`][equinox.nn.out_first].

    Names of paddings and modes may be written in lower case.

    **Raises**

    - `ValueError`: an option does not have one of the forms above; a number of channels is not a multiple of `groups`;
        `padding` is negative in a mode other than `"ZEROS"`; `dtype` is an integer one; what `weight_init` or
        `bias_init` returns has another shape or dtype.

    **Example**
    ```python
    >>> conv = eqx.nn.Conv(2, 3, 8, kernel_size=(3, 5), stride=2, padding="same", key=jax.random.key(0))
    >>> conv.weight.shape, conv.bias.shape
    ((8, 3, 3, 5), (8, 1, 1))
    >>> conv(jnp.ones((3, 28, 32))).shape
    (8, 14, 16)

    ```
    """

    num_spatial_dims: Final[int]
    weight: Final[Array]
    bias: Final[Array | None]
    in_channels: Final[int]
    out_channels: Final[int]
    kernel_size: Final[tuple[int, ...]]
    stride: Final[tuple[int, ...]]
    padding: Final[PaddingName | Literal["CAUSAL"] | Pads]
    dilation: Final[tuple[int, ...]]
    groups: Final[int]
    use_bias: Final[bool]
    padding_mode: Final[PaddingMode]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        num_spatial_dims = field(static=True)
        in_channels = field(static=True)
        out_channels = field(static=True)
        kernel_size = field(static=True)
        stride = field(static=True)
        padding = field(static=True)
        dilation = field(static=True)
        groups = field(static=True)
        use_bias = field(static=True)
        padding_mode = field(static=True)

    def __init__(
        self,
        num_spatial_dims: int,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        use_bias: bool = True,
        padding_mode: str = "ZEROS",
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        axes = self.num_spatial_dims = as_size("num_spatial_dims", num_spatial_dims)
        self.in_channels = as_size("in_channels", in_channels)
        self.out_channels = as_size("out_channels", out_channels)
        self.kernel_size = per_axis("kernel_size", kernel_size, axes)
        self.stride = per_axis("stride", stride, axes)
        self.padding = _as_padding(padding, axes)
        self.dilation = per_axis("dilation", dilation, axes)
        self.groups = as_groups(as_size("groups", groups), self.in_channels, self.out_channels)
        self.use_bias = bool(spelled(use_bias, bias=bias))
        self.padding_mode = as_padding_mode(padding_mode)
        is_cropped = not isinstance(self.padding, str) and any(min(pads) < 0 for pads in self.padding)
        if is_cropped and self.padding_mode != "ZEROS":
            message = f"must not be negative with `padding_mode={self.padding_mode!r}`"
            raise ValueError(f"{locate('padding')} {message}, found {describe(padding)}.")
        self.weight, self.bias = initial_parameters(
            key,
            self.in_channels,
            self.out_channels,
            self.groups,
            self.kernel_size,
            self.use_bias,
            dtype,
            weight_init,
            bias_init,
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
        x = checked(self, "x", x, (self.in_channels, *[None] * self.num_spatial_dims))
        with jax.named_scope(f"eqx.nn.{type(self).__name__}"):
            pads = self._pads(x.shape[1:])
            if self.padding_mode != "ZEROS":
                x = padded(x, pads, self.padding_mode)
                pads = ((0, 0),) * self.num_spatial_dims
            return convolve(
                x,
                self.weight,
                self.bias,
                pads,
                groups=self.groups,
                kernel_dilation=self.dilation,
                stride=self.stride,
            )

    def _pads(self, lengths: tuple[int, ...]) -> Pads:
        if not isinstance(self.padding, str):
            return self.padding
        if self.padding == "VALID":
            return ((0, 0),) * self.num_spatial_dims
        if self.padding == "CAUSAL":
            return ((self.dilation[0] * (self.kernel_size[0] - 1), 0),)
        return tuple(map(self._same_pads, lengths, self.kernel_size, self.stride, self.dilation))

    def _same_pads(self, length: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
        output_length = -(-length // stride)
        total = max((output_length - 1) * stride + dilation * (kernel_size - 1) + 1 - length, 0)
        half = total // 2
        return (half, total - half) if self.padding == "SAME" else (total - half, half)


def _as_padding(padding: Padding, axes: int) -> PaddingName | Literal["CAUSAL"] | Pads:
    if not isinstance(padding, str) or padding.upper() != "CAUSAL":
        return as_padding(padding, axes)
    if axes != 1:
        raise ValueError(
            f"{locate('padding')} is for a single spatial axis if it is {padding!r}, found {axes} of them."
        )
    return "CAUSAL"


class Conv1d(Conv):
    """A convolution over one spatial axis, such as time.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `padding`, `dilation`, `groups`, `use_bias` or `bias`,
        `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in [`Conv`][equinox.nn.Conv].

    **Raises**

    - `ValueError`: as in [`Conv`][equinox.nn.Conv].

    **Example**
    ```python
    >>> conv = eqx.nn.Conv1d(3, 8, kernel_size=3, key=jax.random.key(0))
    >>> conv(jnp.ones((3, 10))).shape
    (8, 8)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        use_bias: bool = True,
        padding_mode: str = "ZEROS",
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        super().__init__(
            1,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            use_bias,
            padding_mode,
            dtype,
            key=key,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
        )


class Conv2d(Conv):
    """A convolution over two spatial axes, such as the height and width of an image.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `padding`, `dilation`, `groups`, `use_bias` or `bias`,
        `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in [`Conv`][equinox.nn.Conv].

    **Raises**

    - `ValueError`: as in [`Conv`][equinox.nn.Conv].

    **Example**
    ```python
    >>> conv = eqx.nn.Conv2d(3, 8, kernel_size=3, key=jax.random.key(0))
    >>> conv(jnp.ones((3, 10, 10))).shape
    (8, 8, 8)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = (1, 1),
        padding: Padding = (0, 0),
        dilation: PerAxis = (1, 1),
        groups: int = 1,
        use_bias: bool = True,
        padding_mode: str = "ZEROS",
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        super().__init__(
            2,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            use_bias,
            padding_mode,
            dtype,
            key=key,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
        )


class Conv3d(Conv):
    """A convolution over three spatial axes, such as those of a volume, or of a video.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `padding`, `dilation`, `groups`, `use_bias` or `bias`,
        `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in [`Conv`][equinox.nn.Conv].

    **Raises**

    - `ValueError`: as in [`Conv`][equinox.nn.Conv].

    **Example**
    ```python
    >>> conv = eqx.nn.Conv3d(3, 8, kernel_size=3, key=jax.random.key(0))
    >>> conv(jnp.ones((3, 4, 10, 10))).shape
    (8, 2, 8, 8)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = (1, 1, 1),
        padding: Padding = (0, 0, 0),
        dilation: PerAxis = (1, 1, 1),
        groups: int = 1,
        use_bias: bool = True,
        padding_mode: str = "ZEROS",
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        super().__init__(
            3,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            use_bias,
            padding_mode,
            dtype,
            key=key,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
        )
