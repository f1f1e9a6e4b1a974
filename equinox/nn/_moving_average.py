"""`ExponentialMovingAverage`: the average of a model over its training, where recent steps count most."""

from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, cast

import jax.numpy as jnp
import numpy as np
from jax import Array
from typing_extensions import TypeVar

from .._errors import describe, locate
from .._jax_tree import tree_flatten, tree_leaves_with_path
from .._module import Module, field
from .._transforms.conceal import conceal, reveal
from .._tree.at import tree_at
from .._tree.describe import describe_node
from .._tree.predicates import is_array, is_inexact_array, is_none
from .._tree.prefix import structural_difference
from ._normalise import promoting, widened

_T = TypeVar("_T", default=None)
_U = TypeVar("_U")
_PyTree: TypeAlias = Any


class ExponentialMovingAverage(Module, Generic[_T]):
    r"""Averages the parameters of a model over the steps of its training, with weights that fall off exponentially.

    $$m_n = \frac{\sum_{i=1}^n d^{n-i} x_i}{\sum_{i=1}^n d^{n-i}}$$

    where $x_1, \dots, x_n$ are the values of a parameter and $d$ = `decay`. The parameters are all floating-point and
    complex JAX arrays; what else there is in a model is that of the last step. Averages are kept with at least 32 bits,
    since in half precision they would hardly move.

    It is a PyTree whose leaves are arrays, whatever there is in the model. So it can be an argument and a result of
    compiled functions, and be carried through loops.

    Polyak & Juditsky, *Acceleration of Stochastic Approximation by Averaging*, SIAM J. Control Optim. 30(4), 1992. The
    division by the sum of the weights is that of Kingma & Ba, *Adam*, ICLR 2015.

    **Arguments**

    - `decay`: $d$, at least 0 and less than 1. About the last $1 / (1 - d)$ steps count.
    - `debias`: whether to average as in this formula. Otherwise $m_n = d \, m_{n-1} + (1 - d) \, x_n$, where $m_0$ is
        the model that it was started with, which then counts for many steps.
    - `warmup`: whether to replace $d$ by $\min(d, n / (n + 9))$ in step $n$, so that early steps are forgotten sooner.

    **Raises**

    - `ValueError`: `decay` is out of range.

    **Example**
    ```python
    >>> model = eqx.nn.Linear(1, 1, key=jax.random.key(0))
    >>> average = eqx.nn.ExponentialMovingAverage(decay=0.5).init(model)
    >>> for bias in [3.0, 6.0]:
    ...     model = eqx.tree_at(lambda m: m.bias, model, jnp.array([bias]))
    ...     average = average.update(model)
    >>> average.value().bias  # 2/3 * 6.0 + 1/3 * 3.0
    Array([5.], dtype=float32)

    ```
    """

    decay: Final[float]
    debias: Final[bool]
    warmup: Final[bool]
    #: `None` before the start.
    _progress: Final["_Progress | None"]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        decay = field(static=True)
        debias = field(static=True)
        warmup = field(static=True)

    def __init__(self, decay: float, debias: bool = True, warmup: bool = False) -> None:
        self.decay = float(decay)
        if not 0 <= self.decay < 1:
            raise ValueError(f"{locate('decay')} must be a number from 0 to 1, and not be 1 itself, found {decay}.")
        self.debias = bool(debias)
        self.warmup = bool(warmup)
        self._progress = None

    def init(self, model: _U) -> "ExponentialMovingAverage[_U]":
        """Start the average of a model.

        **Arguments**

        - `model`: any PyTree, as it is before the first step. It has a weight in the average only with `debias=False`.

        **Returns**

        The average after no step, whose value is the model itself.
        """
        leaves, treedef = tree_flatten(model)
        with promoting():
            averages = [jnp.array(widened(leaf)) if is_inexact_array(leaf) else leaf for leaf in leaves]
        dtypes = tuple(leaf.dtype for leaf in leaves if is_inexact_array(leaf))
        log_rest = jnp.asarray(0.0 if self.debias else -np.inf, jnp.result_type(float))
        return self._with(
            _Progress(conceal(treedef.unflatten(averages), is_array), jnp.zeros((), "int32"), log_rest, dtypes)
        )

    def update(self, model: _T) -> "ExponentialMovingAverage[_T]":
        """Take one more step into the average.

        **Arguments**

        - `model`: the model after the step.

        **Returns**

        The new average.

        **Raises**

        - `ValueError`: the average has not been started; the model has another structure, or parameters of other
            shapes, than the one that it was started with.
        """
        progress = self._started()
        averages = reveal(progress.averages)
        old, structure = tree_flatten(averages)
        new, treedef = tree_flatten(model)
        if treedef != structure:
            path, expected, found = structural_difference(averages, model) or ((), averages, model)
            raise ValueError(
                f"{locate('model', path)}: found {describe_node(found)}, where the model that the average was started "
                f"with has {describe_node(expected)}."
            )
        for i, (average, leaf) in enumerate(zip(old, new, strict=True)):
            if is_inexact_array(average) and jnp.shape(leaf) != average.shape:
                path, _ = tree_leaves_with_path(model)[i]
                raise ValueError(
                    f"{locate('model', path)}: found {describe(leaf)}, where the model that the average was started "
                    f"with has an array of shape {average.shape}."
                )
        with promoting():
            rate: Any = 1 - self.decay
            if self.warmup:
                rate = jnp.maximum(rate, 9 / (progress.count + 10))
            log_rest = progress.log_rest + jnp.log1p(-jnp.asarray(rate, progress.log_rest.dtype))
            fraction = rate / -jnp.expm1(log_rest)
            is_first = (progress.count == 0) & self.debias

            def moved(average: Any, leaf: Any) -> Any:
                if not is_inexact_array(average):
                    return leaf
                mean = jnp.where(is_first, leaf, average + fraction * (leaf - average))
                return mean.astype(average.dtype)

            averages = structure.unflatten(map(moved, old, new))
        return self._with(_Progress(conceal(averages, is_array), progress.count + 1, log_rest, progress.dtypes))

    def value(self) -> _T:
        """The averaged model.

        **Returns**

        The model of the last step, with averages of the dtypes of its parameters in their place. Before the first step,
        the model that the average was started with.

        **Raises**

        - `ValueError`: the average has not been started.
        """
        progress = self._started()
        dtypes = iter(progress.dtypes)
        leaves, treedef = tree_flatten(reveal(progress.averages))
        return cast(_T, treedef.unflatten(x.astype(next(dtypes)) if is_inexact_array(x) else x for x in leaves))

    def _started(self) -> "_Progress":
        if self._progress is None:
            raise ValueError("This average has not been started. Write `average = average.init(model)` first.")
        return self._progress

    def _with(self, progress: "_Progress") -> "ExponentialMovingAverage[Any]":
        return tree_at(lambda node: node._progress, self, progress, is_leaf=is_none)


class _Progress(Module):
    """How far an average has come."""

    #: The model, with averages in place of its parameters, and concealed.
    averages: _PyTree
    #: The number of steps.
    count: Array
    #: The logarithm of the weight that is left to what was before the first step.
    log_rest: Array
    #: Those of the parameters, in order.
    dtypes: tuple[Any, ...] = field(static=True, repr=False)
