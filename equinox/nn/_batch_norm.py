"""`BatchNorm`: makes mean and variance of each channel the same, over all examples of a batch."""

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, first_user_frame, locate
from .._module import field
from ._initialise import parameter_dtype
from ._normalise import constant, promoting, squared_modulus, widened
from ._shapes import as_size
from ._spelling import spelled
from ._state import State
from ._state_index import StateIndex
from ._stateful import StatefulLayer

_Statistics: TypeAlias = tuple[Array, Array]


class BatchNorm(StatefulLayer):
    r"""Normalises each channel by mean and variance over a batch, and then scales and shifts it.

    $$\frac{x - m}{\sqrt{v + \epsilon}} \odot w + b$$

    with $w$ = `weight`, which starts as ones, and $b$ = `bias`, which starts as zeros. In training, the mean $m'$ and
    the (biased) variance $v'$ of a batch are taken over its examples, which a `jax.vmap` with the name `axis_name` has
    to provide, and over all axes of an example but the first. Their running averages are kept in a
    [`State`][equinox.nn.State]:

    $$\bar s \leftarrow \text{momentum} \cdot \bar s + (1 - \text{momentum}) \cdot (m', v')$$

    There are two modes, which differ in what $m$ and $v$ are:

    - `"batch"`: in training, the statistics $(m', v')$ of the batch. At inference time the running averages, which
        start from $(0, 1)$; the part of this start that is left in them is subtracted. This is batch normalisation as
        it was published.
    - `"ema"`: in training too, the running averages, which start from the statistics of the first batch. Gradients flow
        through the statistics of the present batch alone. This is less sensitive to small batches.

    Ioffe & Szegedy, *Batch Normalization*, ICML 2015.

    **Arguments**

    - `input_size`: the number of channels.
    - `axis_name`: the name of the vmapped axis, or a sequence of names. With `()` or `None`, statistics are those of
        each example.
    - `eps`: $\epsilon$, which keeps the divisor away from 0.
    - `channelwise_affine`: whether there are a weight and a bias.
    - `momentum`: how much of the running averages is kept in each step.
    - `inference`, or `deterministic`: whether to normalise by the running averages and to leave them as they are. It is
        a leaf named `inference`, which [`inference_mode`][equinox.nn.inference_mode] changes. `norm.deterministic` is
        the same leaf.
    - `dtype`: of parameters and running averages, floating-point or complex. By default `float32`, or `float64` under
        `jax_enable_x64`. All is computed with at least 32 bits.
    - `mode`: `"ema"` or `"batch"`. The default stands for `"ema"`, with a warning that a choice should be made.

    **Raises**

    - `ValueError`: `input_size` is not a non-negative integer; `mode` is none of the modes; `dtype` is an integer one.

    **Example**
    ```python
    >>> norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(3, axis_name="batch", mode="batch")
    >>> batch = jax.random.normal(jax.random.key(0), (10, 3))
    >>> y, state = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(batch, state)
    >>> y.shape
    (10, 3)
    >>> y, state = eqx.nn.inference_mode(norm)(batch[0], state)

    ```
    """

    weight: Final[Array | None]
    bias: Final[Array | None]
    ema_first_time_index: Final[StateIndex[Array] | None]
    ema_state_index: Final[StateIndex[_Statistics] | None]
    batch_counter: Final[StateIndex[Array] | None]
    batch_state_index: Final[StateIndex[_Statistics] | None]
    axis_name: Final[Hashable | Sequence[Hashable]]
    inference: Final[bool]
    input_size: Final[int]
    eps: Final[float]
    channelwise_affine: Final[bool]
    momentum: Final[float]
    mode: Final[Literal["ema", "batch"]]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        input_size = field(static=True)
        eps = field(static=True)
        channelwise_affine = field(static=True)
        momentum = field(static=True)
        mode = field(static=True)

    def __init__(
        self,
        input_size: int,
        axis_name: Hashable | Sequence[Hashable],
        eps: float = 1e-5,
        channelwise_affine: bool = True,
        momentum: float = 0.99,
        inference: bool = False,
        dtype: DTypeLike | None = None,
        mode: Literal["ema", "batch", "legacy"] = "legacy",
        *,
        deterministic: bool | None = None,
    ) -> None:
        self.mode = _as_mode(mode)
        self.input_size = size = as_size("input_size", input_size)
        self.eps = float(eps)
        self.momentum = float(momentum)
        self.axis_name = axis_name
        self.inference = spelled(inference, deterministic=deterministic)
        self.channelwise_affine = bool(channelwise_affine)
        dtype = parameter_dtype(dtype)
        self.weight = jnp.ones(size, dtype) if self.channelwise_affine else None
        self.bias = jnp.zeros(size, dtype) if self.channelwise_affine else None
        statistics = StateIndex((jnp.zeros(size, dtype), jnp.ones(size, dtype)))
        is_ema = self.mode == "ema"
        self.ema_first_time_index = StateIndex(jnp.array(True)) if is_ema else None
        self.ema_state_index = statistics if is_ema else None
        self.batch_counter = None if is_ema else StateIndex(jnp.zeros((), int))
        self.batch_state_index = None if is_ema else statistics

    @property
    def deterministic(self) -> bool:
        """The leaf `inference` by its other name."""
        return self.inference

    def __call__(
        self,
        x: Array,
        state: State,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, State]:
        """Normalise one example of a batch.

        **Arguments**

        - `x`: shape `(input_size, ...)`.
        - `state`: the state that was made together with the model.
        - `key`: ignored.
        - `inference`, or `deterministic`: if given, decides instead of the layer's own flag.

        **Returns**

        A pair. The first is an array of the shape of `x`, whose dtype is what those of `x` and of the running averages
        promote to. The second is the new state, which is the same for all examples of the batch; at inference time it
        is `state` itself.

        **Raises**

        - `ValueError`: `x` has another number of channels, or is complex while `dtype` is not; `inference` and
            `deterministic` are both given and differ.
        - `NameError`: in training, there is no vmapped axis of the name `axis_name`.
        """
        x = self._checked(x)
        is_inference = spelled(self.inference, inference=inference, deterministic=deterministic)
        averages = self.ema_state_index if self.batch_state_index is None else self.batch_state_index
        assert averages is not None  # each mode has one
        dtype = state.get(averages)[0].dtype
        if jnp.iscomplexobj(x) and not jnp.issubdtype(dtype, jnp.complexfloating):
            raise ValueError(
                f"{locate('x')} of `{type(self).__name__}` is complex, and the running averages are not. Make the "
                f"layer with `dtype={str(x.dtype)!r}`."
            )
        with jax.named_scope("eqx.nn.BatchNorm"), promoting():
            wide = widened(x)
            if is_inference:
                mean, variance = self._running(state)
            else:
                (mean, variance), state = self._trained(_statistics(wide, self._axis_names()), state, averages)
            per_channel = (x.shape[0],) + (1,) * (x.ndim - 1)
            mean, scale = mean.reshape(per_channel), jax.lax.rsqrt(jnp.real(variance) + self.eps).reshape(per_channel)
            out = (wide - mean) * scale
            if self.weight is not None:
                out = out * self.weight.reshape(per_channel)
            if self.bias is not None:
                out = out + self.bias.reshape(per_channel)
            return out.astype(jnp.promote_types(x.dtype, dtype)), state

    def _trained(
        self, batch: _Statistics, state: State, averages: StateIndex[_Statistics]
    ) -> tuple[_Statistics, State]:
        """The statistics to normalise by in training, and the state with the averages of the next step."""
        old = state.get(averages)
        keep = self.momentum
        new = _pairwise(lambda a, b: keep * constant(widened(a)) + (1 - keep) * b, old, batch)
        used = batch
        if self.ema_first_time_index is not None:
            is_first = state.get(self.ema_first_time_index)
            used = new = _pairwise(lambda a, b: jnp.where(is_first, a, b), batch, new)
            state = state.set(self.ema_first_time_index, jnp.zeros_like(is_first))
        if self.batch_counter is not None:
            state = state.set(self.batch_counter, state.get(self.batch_counter) + 1)
        return used, state.set(averages, _pairwise(lambda a, b: b.astype(a.dtype), old, new))

    def _running(self, state: State) -> _Statistics:
        """The statistics to normalise by at inference time."""
        if self.ema_state_index is not None:
            mean, variance = state.get(self.ema_state_index)
            return widened(mean), widened(variance)
        assert self.batch_state_index is not None  # the other mode
        assert self.batch_counter is not None
        averages, steps = state.get(self.batch_state_index), state.get(self.batch_counter)
        return without_start(*averages, steps, self.momentum)

    def _axis_names(self) -> tuple[Hashable, ...]:
        if self.axis_name is None:
            return ()
        if isinstance(self.axis_name, (tuple, list)):
            return tuple(cast(Sequence[Hashable], self.axis_name))
        return (self.axis_name,)

    def _checked(self, x: Any) -> Array:
        array = jnp.asarray(x)
        if array.ndim == 0 or array.shape[0] != self.input_size:
            raise ValueError(
                f"{locate('x')} of `{type(self).__name__}` must have shape ({self.input_size}, ...), found shape "
                f"{array.shape}. A layer is called with one example at a time: for a batch, write `jax.vmap(layer, "
                "axis_name=..., in_axes=(0, None), out_axes=(0, None))`."
            )
        return array


def without_start(mean: Array, variance: Array, steps: Array, momentum: float) -> tuple[Array, Array]:
    """Running averages after some steps, without the part of what they started from, $(0, 1)$, that is left in them."""
    mean, variance = widened(mean), widened(variance)
    # After n steps, momentum^n of the averages is what they started from. The rest, as small as it may be at first, has
    # to be known to full precision.
    rest = -jnp.expm1(steps.astype(jnp.real(mean).dtype) * jnp.log(max(momentum, 1e-30)))
    is_start = rest == 0
    divisor = jnp.where(is_start, 1, rest)
    start = jnp.where(is_start, 0, 1 - rest)
    return mean / divisor, jnp.maximum(jnp.real(variance) - start, 0) / divisor


def _pairwise(combine: Callable[[Array, Array], Array], a: _Statistics, b: _Statistics) -> _Statistics:
    return combine(a[0], b[0]), combine(a[1], b[1])


def _statistics(x: Array, axis_names: tuple[Hashable, ...]) -> _Statistics:
    """Mean and biased variance of each channel, over an example and the named axes."""

    def mean(values: Array) -> Array:
        values = jnp.mean(values, range(1, values.ndim))
        if not axis_names:
            return values
        try:
            over_names: Array = jax.lax.pmean(values, axis_names)  # type: ignore[no-untyped-call] # left unannotated by JAX
            return over_names
        except NameError as error:
            error.add_note(
                "In training, `BatchNorm` has to be called under `jax.vmap(..., axis_name=...)` with its own "
                "`axis_name`. At inference time there is no need: `eqx.nn.inference_mode(model)`."
            )
            raise

    mean_of_x = mean(x)
    centred = x - mean_of_x.reshape(x.shape[0], *(1,) * (x.ndim - 1))
    variance = mean(squared_modulus(centred))
    return mean_of_x, variance


def _as_mode(mode: Literal["ema", "batch", "legacy"]) -> Literal["ema", "batch"]:
    if mode == "legacy":
        warnings.warn(
            '`BatchNorm` was made without a `mode`, which then is "ema". Choose one: `mode="batch"` normalises by the '
            'statistics of the batch, as PyTorch does, `mode="ema"` by their running averages.',
            UserWarning,
            stacklevel=first_user_frame(),
        )
        return "ema"
    if mode not in {"ema", "batch"}:
        raise ValueError(f'{locate("mode")} must be "ema" or "batch", found {describe(mode)}.')
    return mode
