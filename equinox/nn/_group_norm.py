"""`GroupNorm`: makes mean and variance of each group of channels the same."""

from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import locate
from .._module import Module, field
from .._sentinel import sentinel
from ._initialise import parameter_dtype
from ._normalise import finished, promoting, standardised, widened
from ._shapes import as_size

_State = TypeVar("_State")


class GroupNorm(Module):
    r"""Normalises groups of channels by their mean and variance, and then scales and shifts each channel.

    $$\frac{x - \text{mean}(x)}{\sqrt{\text{var}(x) + \epsilon}} \odot w + b$$

    where mean and variance (the biased one) are taken over all entries of the group that $x$ belongs to, $w$ = `weight`
    starts as ones, and $b$ = `bias` as zeros. A group is a number of consecutive channels. With one group this is
    [`LayerNorm`][equinox.nn.LayerNorm] with parameters per channel; with one channel in each group it is
    [`InstanceNorm`][equinox.nn.InstanceNorm]. All is computed with at least 32 bits.

    Wu & He, *Group Normalization*, ECCV 2018.

    **Arguments**

    - `groups`: the number of groups.
    - `channels`: the number of channels, a multiple of `groups`. May be left out if there are no parameters.
    - `eps`: $\epsilon$, which keeps the divisor away from 0.
    - `channelwise_affine`: whether there are a weight and a bias.
    - `dtype`: of the parameters, floating-point or complex. By default `float32`, or `float64` under `jax_enable_x64`.

    **Raises**

    - `ValueError`: `groups` is not a positive integer, or `channels` not a multiple of it; `channels` is needed and
        missing; `dtype` is an integer one.

    **Example**
    ```python
    >>> norm = eqx.nn.GroupNorm(groups=2, channels=4)
    >>> norm(jnp.array([1.0, 3.0, 20.0, 40.0])).round(3)
    Array([-1.,  1., -1.,  1.], dtype=float32)
    >>> norm(jnp.ones((4, 8, 8))).shape
    (4, 8, 8)

    ```
    """

    groups: Final[int]
    channels: Final[int | None]
    eps: Final[float]
    channelwise_affine: Final[bool]
    weight: Final[Array | None]
    bias: Final[Array | None]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        groups = field(static=True)
        channels = field(static=True)
        eps = field(static=True)
        channelwise_affine = field(static=True)

    def __init__(
        self,
        groups: int,
        channels: int | None = None,
        eps: float = 1e-5,
        channelwise_affine: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.groups = as_size("groups", groups)
        if self.groups == 0:
            raise ValueError(f"{locate('groups')} must be a positive integer, found 0.")
        self.channels = None if channels is None else as_size("channels", channels)
        if self.channels is not None and self.channels % self.groups:
            raise ValueError(
                f"{locate('channels')} must be a multiple of the number of groups, {self.groups}, found {channels}."
            )
        self.eps = float(eps)
        self.channelwise_affine = bool(channelwise_affine)
        dtype = parameter_dtype(dtype)
        if self.channelwise_affine and self.channels is None:
            raise ValueError(
                f"{locate('channels')} is needed for the parameters. Pass it, or `channelwise_affine=False`."
            )
        self.weight = jnp.ones(self.channels or 0, dtype) if self.channelwise_affine else None
        self.bias = jnp.zeros(self.channels or 0, dtype) if self.channelwise_affine else None

    @overload
    def __call__(self, x: Array, *, key: Array | None = None) -> Array: ...
    @overload
    def __call__(self, x: Array, state: _State, *, key: Array | None = None) -> tuple[Array, _State]: ...
    def __call__(self, x: Array, state: Any = sentinel, *, key: Array | None = None) -> Any:
        """Normalise one example.

        **Arguments**

        - `x`: shape `(channels, ...)`.
        - `state`: if given, is returned as it is, so that this layer can be called like a stateful one.
        - `key`: ignored.

        **Returns**

        An array of the shape and dtype of `x` (a floating-point one if `x` is of an integer one); if `state` is given,
        that and `state` as a pair.

        **Raises**

        - `ValueError`: `x` has another number of channels, or one that is not a multiple of `groups`.
        """
        x = self._checked(x)
        with jax.named_scope(f"eqx.nn.{type(self).__name__}"), promoting():
            grouped = widened(x).reshape(self.groups, x.size // self.groups)
            per_channel = (x.shape[0],) + (1,) * (x.ndim - 1)
            weight = None if self.weight is None else self.weight.reshape(per_channel)
            bias = None if self.bias is None else self.bias.reshape(per_channel)
            out = finished(standardised(grouped, self.eps, 1).reshape(x.shape), weight, bias, x)
        return out if state is sentinel else (out, state)

    def _checked(self, x: Any) -> Array:
        array = jnp.asarray(x)
        found = array.shape[0] if array.ndim else -1
        fits = found % self.groups == 0 if self.channels is None else found == self.channels
        if not array.ndim or not fits:
            expected = f"a multiple of {self.groups}" if self.channels is None else self.channels
            raise ValueError(
                f"{locate('x')} of `{type(self).__name__}` must have shape (channels, ...) with channels = {expected}, "
                f"found shape {array.shape}. A layer is called with one example at a time: for a batch, write "
                "`jax.vmap(layer)`."
            )
        return array
