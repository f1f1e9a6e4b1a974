"""`mixed_precision`: calls a layer in half precision, while its parameters are kept in single precision."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from .._errors import locate
from .._module import Module, field
from ._batch_norm import BatchNorm
from ._group_norm import GroupNorm
from ._layer_norm import LayerNorm
from ._normalise import widened
from ._rms_norm import RMSNorm
from ._state import State
from ._state_index import StateIndex

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

#: What stays in the precision that it has. Layers that normalise calculate with at least 32 bits anyway.
_KEPT: Final = (LayerNorm, RMSNorm, GroupNorm, BatchNorm, StateIndex, State)


class Policy(Module):
    """Which dtypes the parameters, the calculations and the results of a model have.

    It is applied to real floating-point arrays, JAX's and NumPy's. Others, such as integers, complex numbers and PRNG
    keys, remain what they are. So does every [`State`][equinox.nn.State].

    **Arguments**

    - `param`: the dtype that parameters are stored, and trained, in.
    - `compute`: the dtype of calculations: inputs and parameters are converted to it.
    - `output`: the dtype that results are converted to.

    **Raises**

    - `ValueError`: one of them is not a real floating-point dtype.

    **Example**
    ```python
    >>> policy = eqx.nn.Policy(compute="float16")
    >>> policy
    Policy(param='float32', compute='float16', output='float32')
    >>> policy.cast_to_compute((jnp.ones(2), jnp.arange(2)))
    (Array([1., 1.], dtype=float16), Array([0, 1], dtype=int32))

    ```
    """

    param: Final[str]
    compute: Final[str]
    output: Final[str]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        param = field(static=True)
        compute = field(static=True)
        output = field(static=True)

    def __init__(
        self, param: DTypeLike = "float32", compute: DTypeLike = "bfloat16", output: DTypeLike = "float32"
    ) -> None:
        self.param = _as_dtype("param", param)
        self.compute = _as_dtype("compute", compute)
        self.output = _as_dtype("output", output)

    def cast_to_param(self, tree: _T) -> _T:
        """Convert the arrays of a PyTree to the dtype of parameters."""
        return _cast(tree, self.param)

    def cast_to_compute(self, tree: _T) -> _T:
        """Convert the arrays of a PyTree to the dtype of calculations, except for what needs single precision.

        That is: the parameters of [`LayerNorm`][equinox.nn.LayerNorm], [`RMSNorm`][equinox.nn.RMSNorm],
        [`GroupNorm`][equinox.nn.GroupNorm], [`InstanceNorm`][equinox.nn.InstanceNorm] and
        [`BatchNorm`][equinox.nn.BatchNorm]. These calculate with at least 32 bits. So do the functions
        `jax.nn.softmax` and `jax.nn.log_softmax` where they are leaves of the tree, and all attention. The results are
        then of the dtype of their inputs.
        """
        return cast(_T, jax.tree.map(self._to_compute, tree, is_leaf=_is_kept))

    def cast_to_output(self, tree: _T) -> _T:
        """Convert the arrays of a PyTree to the dtype of results."""
        return _cast(tree, self.output)

    def _to_compute(self, node: Any) -> Any:
        if type(node) is BatchNorm:
            return _BatchNormOfInputDtype(node)
        for function, in_single_precision in _SOFTMAX.items():
            if node is function:
                return in_single_precision
        return node if _is_kept(node) else _converted(node, self.compute)


class MixedPrecision(Module, Generic[_P, _R]):
    """What [`mixed_precision`][equinox.nn.mixed_precision] returns: a layer that is called in another precision.

    **Arguments**

    - `layer`, `policy`: as there.
    """

    layer: Final[Callable[_P, _R]]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    policy: Final[Policy]

    def __init__(self, layer: Callable[_P, _R], policy: Policy) -> None:
        self.layer = policy.cast_to_param(layer)
        self.policy = policy

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call the layer.

        **Arguments**

        - `*args`, `**kwargs`: those of the layer, converted to the dtype of calculations.

        **Returns**

        What the layer returns, converted to the dtype of results.
        """
        with jax.named_scope("eqx.nn.MixedPrecision"):
            layer = self.policy.cast_to_compute(self.layer)
            inputs: tuple[Any, dict[str, Any]] = _cast((args, kwargs), self.policy.compute)
            return self.policy.cast_to_output(layer(*inputs[0], **inputs[1]))


def mixed_precision(layer: Callable[_P, _R], policy: Policy) -> MixedPrecision[_P, _R]:
    """Call a layer or a whole model in half precision, but store and train its parameters in single precision.

    Half precision is faster on accelerators, and takes half of the memory. But small steps of training would be lost in
    it. Gradients flow through the conversion, and so have the dtype of the parameters. With `float16`, whose range is
    narrow, [`DynamicLossScale`][equinox.nn.DynamicLossScale] keeps them from vanishing; `bfloat16` does not need it.

    Micikevicius et al., *Mixed Precision Training*, ICLR 2018.

    **Arguments**

    - `layer`: any callable PyTree.
    - `policy`: the three dtypes, and what is exempt from them.

    **Returns**

    A Module that is called like `layer`. Its attribute `layer` is the layer with parameters of the dtype
    `policy.param`.

    **Example**
    ```python
    >>> model = eqx.nn.MLP(2, 3, width_size=8, depth=1, key=jax.random.key(0))
    >>> mixed = eqx.nn.mixed_precision(model, eqx.nn.Policy(compute="bfloat16"))
    >>> mixed(jnp.ones(2)).dtype
    dtype('float32')
    >>> gradient = eqx.filter_grad(lambda m: jnp.sum(m(jnp.ones(2))))(mixed)
    >>> gradient.layer.layers[0].weight.dtype
    dtype('float32')

    ```
    """
    return MixedPrecision(layer, policy)


class _BatchNormOfInputDtype(BatchNorm):
    """A `BatchNorm` whose result has the dtype of its input even if its parameters and its state have another one."""

    def __init__(self, norm: BatchNorm) -> None:
        for each in dataclasses.fields(norm):
            setattr(self, each.name, getattr(norm, each.name))

    def __call__(
        self,
        x: Array,
        state: State,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, State]:
        out, state = super().__call__(x, state, key=key, inference=inference, deterministic=deterministic)
        return out.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else out, state


def _in_single_precision(function: Callable[..., Array]) -> Callable[..., Array]:
    @functools.wraps(function)
    def wide(x: Array, *args: Any, **kwargs: Any) -> Array:
        return function(widened(x), *args, **kwargs).astype(x.dtype)

    return wide


_SOFTMAX: Final = {function: _in_single_precision(function) for function in (jax.nn.softmax, jax.nn.log_softmax)}


def _is_kept(node: object) -> bool:
    return isinstance(node, _KEPT)


def _is_state(node: object) -> bool:
    return isinstance(node, State)


def _cast(tree: _T, dtype: str) -> _T:
    def converted(node: Any) -> Any:
        return _converted(node, dtype)

    return cast(_T, jax.tree.map(converted, tree, is_leaf=_is_state))


def _converted(leaf: Any, dtype: str) -> Any:
    return leaf.astype(dtype) if _is_floating(leaf) else leaf


def _is_floating(leaf: object) -> bool:
    is_array = isinstance(leaf, (Array, np.ndarray, np.generic))
    return is_array and bool(jnp.issubdtype(cast(Any, leaf).dtype, jnp.floating))


def _as_dtype(argument: str, dtype: DTypeLike) -> str:
    name = jnp.dtype(dtype).name
    if not jnp.issubdtype(name, jnp.floating):
        raise ValueError(f"{locate(argument)} must be a real floating-point dtype, found {name}.")
    return name
