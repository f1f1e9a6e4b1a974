"""What a convolution and its transpose have in common: options, initial parameters, and the sum of products itself."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeGuard

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from ._initialise import Initialiser, weight_and_bias
from ._windows import PaddingPerAxis, Pads, as_pads

PaddingName: TypeAlias = Literal["VALID", "SAME", "SAME_LOWER"]
PaddingMode: TypeAlias = Literal["ZEROS", "REFLECT", "REPLICATE", "CIRCULAR"]
Padding: TypeAlias = str | PaddingPerAxis


def as_padding(value: Padding, axes: int) -> PaddingName | Pads:
    """Return the name of a rule in upper case, or else a pair of integers for each axis.

    **Raises**

    - `ValueError`: `value`, given for the constructor's `padding`, is neither.
    """
    if not isinstance(value, str):
        return as_pads(value, axes, ', or one of "VALID", "SAME" and "SAME_LOWER"')
    name = value.upper()
    if not _is_padding_name(name):
        message = 'must be "VALID", "SAME" or "SAME_LOWER", or else amounts'
        raise ValueError(f"{locate('padding')} {message}, found {describe(value)}.")
    return name


def as_padding_mode(value: str) -> PaddingMode:
    """Return a padding mode in upper case.

    **Raises**

    - `ValueError`: `value`, given for the constructor's `padding_mode`, is none.
    """
    mode = str(value).upper()
    if not _is_padding_mode(mode):
        message = 'must be "ZEROS", "REFLECT", "REPLICATE" or "CIRCULAR"'
        raise ValueError(f"{locate('padding_mode')} {message}, found {describe(value)}.")
    return mode


def _is_padding_name(name: str) -> TypeGuard[PaddingName]:
    return name in {"VALID", "SAME", "SAME_LOWER"}


def _is_padding_mode(mode: str) -> TypeGuard[PaddingMode]:
    return mode in {"ZEROS", "REFLECT", "REPLICATE", "CIRCULAR"}


def as_groups(groups: int, in_channels: int, out_channels: int) -> int:
    """Return the number of groups as a plain integer.

    **Raises**

    - `ValueError`: it is not positive, or the channels cannot be divided into that many equal groups.
    """
    if groups < 1:
        raise ValueError(f"{locate('groups')} must be at least 1, found {describe(groups)}.")
    for argument, channels in {"in_channels": in_channels, "out_channels": out_channels}.items():
        if channels % groups:
            raise ValueError(f"{locate(argument)} must be a multiple of `groups={groups}`, found {channels}.")
    return groups


def initial_parameters(
    key: Array,
    in_channels: int,
    out_channels: int,
    groups: int,
    kernel_size: tuple[int, ...],
    use_bias: bool,
    dtype: DTypeLike | None,
    weight_init: Initialiser | None,
    bias_init: Initialiser | None,
) -> tuple[Array, Array | None]:
    """Draw a weight of shape `(out_channels, in_channels / groups, *kernel_size)` and, if it is wanted, a bias."""
    in_group = in_channels // groups
    fan_in = in_group * math.prod(kernel_size)
    weight_shape = (out_channels, in_group, *kernel_size)
    bias_shape = (out_channels,) + (1,) * len(kernel_size)
    return weight_and_bias(key, weight_shape, bias_shape, fan_in, use_bias, dtype, weight_init, bias_init)


def padded(x: Array, pads: Pads, mode: PaddingMode) -> Array:
    """Continue the spatial axes of an array of shape `(channels, *spatial)` by its own entries.

    `mode` is not `"ZEROS"`, which is left to the convolution.
    """
    numpy_mode = {"REFLECT": "reflect", "REPLICATE": "edge", "CIRCULAR": "wrap"}[mode]
    return jnp.pad(x, ((0, 0), *pads), mode=numpy_mode)


def convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    pads: Sequence[tuple[int, int]],
    *,
    groups: int,
    kernel_dilation: tuple[int, ...],
    stride: tuple[int, ...] | None = None,
    input_dilation: tuple[int, ...] | None = None,
) -> Array:
    """Correlate one example with `weight`, and add `bias`.

    **Arguments**

    - `x`: shape `(channels, *spatial)`.
    - `weight`, `bias`: as [`initial_parameters`] makes them.
    - `pads`: the number of zeros before and after each spatial axis; negative to leave entries out.
    - `stride`, `input_dilation`, `kernel_dilation`: one number for each spatial axis, by default 1.

    **Returns**

    An array of the dtype that JAX's promotion of dtypes gives to a product.
    """
    x, weight = jnp.asarray(x), jnp.asarray(weight)
    # JAX's own convolution has the same dtype for both; other products of arrays promote, and so does this.
    dtype = jnp.result_type(x, weight)
    y = jax.lax.conv_general_dilated(
        x.astype(dtype)[jnp.newaxis],
        weight.astype(dtype),
        window_strides=(1,) * len(kernel_dilation) if stride is None else stride,
        padding=pads,
        lhs_dilation=input_dilation,
        rhs_dilation=kernel_dilation,
        feature_group_count=groups,
    )[0]
    return y if bias is None else y + bias
