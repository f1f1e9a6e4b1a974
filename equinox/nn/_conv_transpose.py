"""`ConvTranspose`: the transpose of a convolution, and `ConvTranspose1d`, `ConvTranspose2d`, `ConvTranspose3d`."""

from typing import TYPE_CHECKING, Final

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


class ConvTranspose(Module):
    r"""The transpose of a convolution, also known as a deconvolution: it goes from coarse to fine positions.

    A convolution is a linear map; this is its transposed map, with parameters of its own. Kernel size, stride, padding
    and dilation are those of the convolution [`Conv`][equinox.nn.Conv] that it is the transpose of. To be precise: a
    `ConvTranspose` without bias is the transpose of a `Conv` if its `weight` is that of the `Conv` with all spatial
    axes flipped and the first two axes swapped (for `groups=1`).

    The length of an axis goes from $L$ to $(L - 1) s + d (k - 1) + 1 - p_0 - p_1 + r$, where $k$, $s$, $d$ and $r$ are
    the kernel size, stride, dilation and output padding, and $p_0$ and $p_1$ the padding before and after; with the
    paddings `"SAME"` and `"SAME_LOWER"` it goes to $s L - r$.

    `weight` has the shape `(out_channels, in_channels / groups, *kernel_size)`, `bias` the shape
    `(out_channels, 1, ..., 1)`. They start as in [`Conv`][equinox.nn.Conv].

    Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285, 2016.

    **Arguments**

    - `num_spatial_dims`: the number of spatial axes.
    - `in_channels`: the number of channels of the input.
    - `out_channels`: the number of channels of the output.
    - `kernel_size`, `stride`, `padding`, `dilation`, `groups`: as in [`Conv`][equinox.nn.Conv].
    - `output_padding`: less than `stride`, for all axes or for each. Inputs of several lengths give a `Conv` outputs of
        one length. This says which input to go back to: that many entries longer than the shortest, or, for the
        paddings `"SAME"` and `"SAME_LOWER"`, shorter than the longest.
    - `use_bias`, or `bias`: whether there is a bias. (`conv.use_bias` is this flag, `conv.bias` the parameter.)
    - `padding_mode`: that of the `Conv`. Either `"ZEROS"` or, with the paddings `"SAME"` and `"SAME_LOWER"` and without
        output padding, `"CIRCULAR"`.
    - `dtype`: of the parameters, as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weight and bias instead: functions of a PRNG
        key, a shape and a dtype, as in `jax.nn.initializers`, for which see [`out_first`][equinox.nn.out_first].

    **Raises**

    - `ValueError`: an option does not have one of the forms above; `output_padding` is not less than `stride`; a number
        of channels is not a multiple of `groups`; `dtype` is an integer one; what `weight_init` or `bias_init` returns
        has another shape or dtype.
    - `NotImplementedError`: the padding mode is another one that `Conv` has, or is `"CIRCULAR"` with another padding.

    **Example**
    ```python
    >>> coarser = eqx.nn.Conv(1, 3, 8, kernel_size=3, stride=2, padding="same", key=jax.random.key(0))
    >>> finer = eqx.nn.ConvTranspose(1, 8, 3, kernel_size=3, stride=2, padding="same", key=jax.random.key(1))
    >>> coarser(jnp.ones((3, 10))).shape
    (8, 5)
    >>> finer(jnp.ones((8, 5))).shape
    (3, 10)

    ```
    """

    num_spatial_dims: Final[int]
    weight: Final[Array]
    bias: Final[Array | None]
    in_channels: Final[int]
    out_channels: Final[int]
    kernel_size: Final[tuple[int, ...]]
    stride: Final[tuple[int, ...]]
    padding: Final[PaddingName | Pads]
    output_padding: Final[tuple[int, ...]]
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
        output_padding = field(static=True)
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
        output_padding: PerAxis = 0,
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
        self.padding = as_padding(padding, axes)
        self.output_padding = per_axis("output_padding", output_padding, axes, minimum=0)
        self.dilation = per_axis("dilation", dilation, axes)
        self.groups = as_groups(as_size("groups", groups), self.in_channels, self.out_channels)
        self.use_bias = bool(spelled(use_bias, bias=bias))
        self.padding_mode = as_padding_mode(padding_mode)
        if any(more >= stride for more, stride in zip(self.output_padding, self.stride, strict=True)):
            message = f"must be less than the stride {self.stride}"
            raise ValueError(f"{locate('output_padding')} {message}, found {describe(output_padding)}.")
        if self.padding_mode in {"REFLECT", "REPLICATE"}:
            message = 'must be "ZEROS" or "CIRCULAR" for the transpose of a convolution'
            raise NotImplementedError(f"{locate('padding_mode')} {message}, found {describe(padding_mode)}.")
        is_whole = self.padding in {"SAME", "SAME_LOWER"} and not any(self.output_padding)
        if self.padding_mode == "CIRCULAR" and not is_whole:
            message = '"CIRCULAR" needs the padding "SAME" or "SAME_LOWER", and the output padding 0'
            found = f"`padding={padding!r}` and `output_padding={output_padding!r}`"
            raise NotImplementedError(f"{locate('padding_mode')}: {message}, found {found}.")
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
        """Apply the transpose of the convolution to one example.

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
            pads = self._pads()
            if self.padding_mode == "CIRCULAR":
                # Between two entries of the input there are `stride - 1` zeros, so most of what comes from the other
                # side can be added before they are.
                whole = [(before // s, after // s) for (before, after), s in zip(pads, self.stride, strict=True)]
                pads = tuple((before % s, after % s) for (before, after), s in zip(pads, self.stride, strict=True))
                x = padded(x, tuple(whole), self.padding_mode)
            return convolve(
                x,
                self.weight,
                self.bias,
                pads,
                groups=self.groups,
                kernel_dilation=self.dilation,
                input_dilation=self.stride,
            )

    def _pads(self) -> Pads:
        """By how much to pad the input, between whose entries there are zeros already, for a stride of 1."""
        if self.padding == "SAME" or self.padding == "SAME_LOWER":
            return tuple(map(self._same_pads, self.kernel_size, self.stride, self.output_padding, self.dilation))
        pads = ((0, 0),) * self.num_spatial_dims if self.padding == "VALID" else self.padding
        return tuple(
            (dilation * (size - 1) - before, dilation * (size - 1) - after + more)
            for size, (before, after), more, dilation in zip(
                self.kernel_size, pads, self.output_padding, self.dilation, strict=True
            )
        )

    def _same_pads(self, kernel_size: int, stride: int, output_padding: int, dilation: int) -> tuple[int, int]:
        reach = dilation * (kernel_size - 1)
        total = reach + 1 - stride + output_padding  # the padding of the convolution, if it is not negative
        if total < 0:
            return reach, reach - total
        half = total // 2
        before, after = (half, total - half) if self.padding == "SAME" else (total - half, half)
        return reach - before, reach - after


class ConvTranspose1d(ConvTranspose):
    """The transpose of a convolution over one spatial axis, such as time.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `output_padding`, `padding`, `dilation`, `groups`,
        `use_bias` or `bias`, `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in
        [`ConvTranspose`][equinox.nn.ConvTranspose]. In the order of the arguments `output_padding` comes before
        `padding`, and there the other way round.

    **Raises**

    - `NotImplementedError`, `ValueError`: as in [`ConvTranspose`][equinox.nn.ConvTranspose].

    **Example**
    ```python
    >>> upsample = eqx.nn.ConvTranspose1d(3, 8, kernel_size=2, stride=2, key=jax.random.key(0))
    >>> upsample(jnp.ones((3, 10))).shape
    (8, 20)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        output_padding: PerAxis = 0,
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
            output_padding,
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


class ConvTranspose2d(ConvTranspose):
    """The transpose of a convolution over two spatial axes, such as the height and width of an image.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `output_padding`, `padding`, `dilation`, `groups`,
        `use_bias` or `bias`, `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in
        [`ConvTranspose`][equinox.nn.ConvTranspose]. In the order of the arguments `output_padding` comes before
        `padding`, and there the other way round.

    **Raises**

    - `NotImplementedError`, `ValueError`: as in [`ConvTranspose`][equinox.nn.ConvTranspose].

    **Example**
    ```python
    >>> upsample = eqx.nn.ConvTranspose2d(3, 8, kernel_size=2, stride=2, key=jax.random.key(0))
    >>> upsample(jnp.ones((3, 10, 10))).shape
    (8, 20, 20)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = (1, 1),
        output_padding: PerAxis = (0, 0),
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
            output_padding,
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


class ConvTranspose3d(ConvTranspose):
    """The transpose of a convolution over three spatial axes, such as those of a volume, or of a video.

    **Arguments**

    - `in_channels`, `out_channels`, `kernel_size`, `stride`, `output_padding`, `padding`, `dilation`, `groups`,
        `use_bias` or `bias`, `padding_mode`, `dtype`, `key`, `weight_init`, `bias_init`: as in
        [`ConvTranspose`][equinox.nn.ConvTranspose]. In the order of the arguments `output_padding` comes before
        `padding`, and there the other way round.

    **Raises**

    - `NotImplementedError`, `ValueError`: as in [`ConvTranspose`][equinox.nn.ConvTranspose].

    **Example**
    ```python
    >>> upsample = eqx.nn.ConvTranspose3d(3, 8, kernel_size=2, stride=2, key=jax.random.key(0))
    >>> upsample(jnp.ones((3, 4, 10, 10))).shape
    (8, 8, 20, 20)

    ```
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = (1, 1, 1),
        output_padding: PerAxis = (0, 0, 0),
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
            output_padding,
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
