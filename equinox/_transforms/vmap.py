"""`filter_vmap`: map a function over axes of the arrays in its arguments."""

from collections.abc import Callable, Hashable
from typing import Any

import jax

from .._module import module_update_wrapper
from .._sentinel import sentinel
from .axes import if_array
from .mapped import Mapped, as_map_options
from .wrapped import as_decorator, check_callable, reject_removed_options


class Vmapped(Mapped):
    """A function mapped by vectorising it."""

    def _map(self, of_slices: Callable[[list[Any]], Any], leaves: list[Any], axes: list[int], size: int) -> Any:
        options = self._options
        return jax.vmap(
            of_slices,
            in_axes=(axes,),
            out_axes=(0, None, None),
            axis_name=options.axis_name,
            axis_size=size,
            **dict(options.more),
        )(leaves)


def filter_vmap(
    fun: Any = sentinel,
    *,
    in_axes: Any = if_array(0),  # noqa: B008 # it is immutable
    out_axes: Any = if_array(0),  # noqa: B008
    axis_name: Hashable = None,
    axis_size: int | None = None,
    **vmapkwargs: Any,
) -> Any:
    """Map a function over axes of the arrays in its arguments. Wraps `jax.vmap`.

    By default every array is mapped over its first axis, and all else is the same for every call. Arrays of `fun`
    itself, if it is a Module, are not mapped; those of the instance are, if `fun` is a method in a class body, because
    the instance is its first argument.

    **Arguments**

    - `fun`: a pure function, or any other callable. Without it, the result is a decorator.
    - `in_axes`: what is mapped: a prefix of the tuple of positional arguments, or a dictionary of prefixes by the name
      of the parameter, where those without an entry have `if_array(0)`. Its leaves are axes, `None` for what is not
      mapped, or functions from a leaf to one of these.
    - `out_axes`: where the mapped axis is in the output: a prefix of the output with such leaves. What has `None` must
      be the same for all slices, and may be anything.
    - `axis_name`: a name for the mapped axis, for `jax.lax.psum` and the like.
    - `axis_size`: the size of the mapped axis; needed only if no argument is mapped.
    - `**vmapkwargs`: `spmd_axis_name`, as in `jax.vmap`.

    **Returns**

    A callable with the parameters of `fun`, all to be passed by position. It is a PyTree with the leaves of `fun`, and
    binds like a function when it is found in a class body.

    **Raises**

    - `ValueError`: `in_axes` or `out_axes` has a leaf of another kind, is no prefix, or names an axis or a parameter
      that is not there; the sizes of mapped axes differ; or nothing is mapped, but `out_axes` asks for an axis.
    - `TypeError`: a function in `in_axes` or `out_axes` returned something else; what is to be stacked is no array;
      `jax.vmap` has no such option.
    - `RuntimeError`: when called with keyword arguments.

    **Example**
    ```python
    >>> @eqx.filter_vmap(in_axes=(None, 0, None))
    ... def scale(model, x, power):
    ...     return model["weight"] * x**power
    >>> scale({"weight": jnp.array(2.0), "name": "scale"}, jnp.arange(3.0), 2)
    Array([0., 2., 8.], dtype=float32)

    ```

    A whole ensemble of models:
    ```python
    >>> class Model(eqx.Module):
    ...     weight: jax.Array
    ...     def __init__(self, key):
    ...         self.weight = jax.random.normal(key, (3,))
    >>> eqx.filter_vmap(Model)(jax.random.split(jax.random.key(0), 4))
    Model(weight=f32[4,3])

    ```
    """
    reject_removed_options("filter_vmap", vmapkwargs, "default", "fn", "args", "kwargs", "out")
    options = as_map_options(in_axes, out_axes, axis_name, axis_size, **vmapkwargs)
    jax.vmap(_no_function, **vmapkwargs)  # raises an error for options that it does not have
    if fun is sentinel:
        return as_decorator(
            filter_vmap,
            {"in_axes": in_axes, "out_axes": out_axes, "axis_name": axis_name, "axis_size": axis_size, **vmapkwargs},
        )
    check_callable("filter_vmap", fun)
    return module_update_wrapper(Vmapped(fun, "filter_vmap", options))


def _no_function() -> None: ...
