"""`filter_checkpoint`: compute intermediate results again for the gradient instead of storing them."""

from collections.abc import Callable
from typing import Any

import jax

from .._module import field, module_update_wrapper
from .._sentinel import sentinel
from .._tree.predicates import is_array
from .conceal import conceal, reveal
from .eager import compiled_if_eager
from .split import split
from .wrapped import Wrapped, as_decorator, check_callable


class Checkpointed(Wrapped):
    """A function that does not keep its intermediate results for the gradient."""

    _prevent_cse: bool = field(static=True)
    _policy: Callable[..., bool] | None = field(static=True)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return compiled_if_eager(Checkpointed._checkpoint, self, args, kwargs)

    def _checkpoint(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arrays, given = split((self._function, args, kwargs), is_array)

        def of_arrays(arrays: list[Any]) -> Any:
            function, args, kwargs = given.join(arrays)
            return conceal(function(*args, **kwargs), is_array)

        return reveal(jax.checkpoint(of_arrays, prevent_cse=self._prevent_cse, policy=self._policy)(arrays))


def filter_checkpoint(
    fun: Any = sentinel, *, prevent_cse: bool = True, policy: Callable[..., bool] | None = None
) -> Any:
    """Make a function forget its intermediate results, and compute them again for the gradient. Wraps `jax.checkpoint`.

    This trades time for memory, as for the layers of a deep model or the steps of a long loop. Arrays in the arguments
    and in the function itself are traced; everything else may be anything, and so may the output.

    **Arguments**

    - `fun`: a function, or a Module that can be called. Without it, the result is a decorator.
    - `prevent_cse`: whether to keep the compiler from merging the second computation with the first. Inside of
      `jax.lax.scan` that cannot happen, and `False` makes the program faster.
    - `policy`: which intermediate results to store nevertheless: one of `jax.checkpoint_policies`.

    **Returns**

    A callable with the parameters of `fun`, which returns the same.

    **Raises**

    - `TypeError`: `fun` is not callable.

    **Example**
    ```python
    >>> @eqx.filter_checkpoint
    ... def layer(x, activation):
    ...     return activation(jnp.sin(x))
    >>> eqx.filter_grad(layer)(jnp.array(0.0), jnp.tanh)
    Array(1., dtype=float32, weak_type=True)

    ```
    """
    if fun is sentinel:
        return as_decorator(filter_checkpoint, {"prevent_cse": prevent_cse, "policy": policy})
    check_callable("filter_checkpoint", fun)
    return module_update_wrapper(Checkpointed(fun, "filter_checkpoint", prevent_cse, policy))
