"""`DynamicLossScale`: a factor for the loss that keeps small gradients from vanishing in half precision."""

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import Module, field
from .._tree.at import tree_at
from .._tree.predicates import is_array, is_inexact_array
from ._normalise import promoting, widened
from ._shapes import as_size

_T = TypeVar("_T")


class DynamicLossScale(Module):
    """Multiplies the loss by a factor, divides the gradient by it, and adapts it to what half precision can hold.

    The factor doubles after a number of steps in a row whose gradients were finite. When a gradient is not, because it
    is too large for `float16`, the factor is halved and the step skipped. It does not fall below 1, and is always a
    power of 2 times the initial one.

    Micikevicius et al., *Mixed Precision Training*, ICLR 2018.

    **Arguments**

    - `initial`: the factor to start with.
    - `period`: after how many good steps in a row the factor doubles.

    The attribute `scale` is the factor, and `good_steps` the number of good steps since it last changed. Both are
    arrays, so that a compiled step can take and return a `DynamicLossScale`.

    **Raises**

    - `ValueError`: `initial` is not a finite number of at least 1; `period` is not a positive integer.

    **Example**
    ```python
    >>> import optax
    >>> policy = eqx.nn.Policy(compute="float16")
    >>> model = eqx.nn.mixed_precision(eqx.nn.Linear(2, 1, key=jax.random.key(0)), policy)
    >>> optimizer = eqx.Optimizer(optax.sgd(0.1), model)
    >>> loss_scale = eqx.nn.DynamicLossScale(initial=1024.0)

    >>> @eqx.filter_jit
    ... def step(model, optimizer, loss_scale, x, y):
    ...     def loss(model):
    ...         return loss_scale.scaled(jnp.mean((jax.vmap(model)(x) - y) ** 2))
    ...     gradient, is_finite = loss_scale.unscaled(eqx.filter_grad(loss)(model))
    ...     after = optimizer.update(gradient, model)
    ...     return loss_scale.update(is_finite, after, (model, optimizer))
    >>> (model, optimizer), loss_scale = step(model, optimizer, loss_scale, jnp.ones((3, 2)), jnp.ones((3, 1)))
    >>> loss_scale
    DynamicLossScale(scale=f32[], good_steps=i32[], period=2000)
    >>> (model, optimizer), loss_scale = step(model, optimizer, loss_scale, jnp.ones((3, 2)), jnp.full((3, 1), 1e30))
    >>> loss_scale.scale  # the gradient was too large, and the step was skipped
    Array(512., dtype=float32)

    ```
    """

    scale: Final[Array]
    good_steps: Final[Array]
    period: Final[int]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        period = field(static=True)

    def __init__(self, initial: float = 2.0**15, period: int = 2000) -> None:
        if not 1 <= initial < float("inf"):
            raise ValueError(f"{locate('initial')} must be a finite number of at least 1, found {initial}.")
        self.scale = jnp.asarray(initial, "float32")
        self.good_steps = jnp.zeros((), "int32")
        self.period = as_size("period", period)
        if self.period == 0:
            raise ValueError(f"{locate('period')} must be a positive integer, found 0.")

    def scaled(self, loss: Array) -> Array:
        """Multiply the loss by the factor.

        **Arguments**

        - `loss`: an array of any shape, of a floating-point dtype.

        **Returns**

        An array of the same shape, with at least 32 bits.
        """
        with promoting():
            return widened(jnp.asarray(loss)) * self.scale

    def unscaled(self, grads: _T) -> tuple[_T, Array]:
        """Divide the gradient by the factor.

        **Arguments**

        - `grads`: the gradient of the scaled loss, any PyTree. Leaves other than floating-point and complex arrays
            remain what they are.

        **Returns**

        A pair: the gradient of the loss itself, with the same dtypes, and whether all of it is finite, an array.
        """

        def divided(leaf: Any) -> Any:
            return (widened(leaf) / self.scale).astype(leaf.dtype) if is_inexact_array(leaf) else leaf

        with promoting():
            finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(grads) if is_inexact_array(leaf)]
            return cast(_T, jax.tree.map(divided, grads)), jnp.all(jnp.asarray(finite, bool))

    def update(self, is_finite: Array, new: _T, old: _T) -> tuple[_T, "DynamicLossScale"]:
        """Finish a step: take it or skip it, and adapt the factor.

        **Arguments**

        - `is_finite`: whether the gradient was finite, as [`unscaled`][equinox.nn.DynamicLossScale.unscaled] says.
        - `new`: a PyTree of whatever the step has changed, such as the model and the optimizer, after the step.
        - `old`: the same before the step, with the same structure.

        **Returns**

        A pair: `new` if the gradient was finite and otherwise `old`, and the next `DynamicLossScale`.
        """

        def chosen(after: Any, before: Any) -> Any:
            return jnp.where(is_finite, after, before) if is_array(cast(object, after)) else after

        good_steps = self.good_steps + 1
        is_due = good_steps >= self.period
        doubled = jnp.where(jnp.isfinite(self.scale * 2), self.scale * 2, self.scale)
        scale = jnp.where(is_finite, jnp.where(is_due, doubled, self.scale), jnp.maximum(self.scale / 2, 1))
        good_steps = jnp.where(is_finite & ~is_due, good_steps, 0)
        adapted = tree_at(lambda node: (node.scale, node.good_steps), self, (scale, good_steps))
        return cast(_T, jax.tree.map(chosen, new, old)), adapted
