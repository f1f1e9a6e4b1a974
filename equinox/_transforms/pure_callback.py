"""`filter_pure_callback`: call a function on the host from inside a compiled one."""

from collections.abc import Callable
from typing import Any, cast

import jax

from .._errors import describe
from .._jax_tree import tree_flatten, tree_flatten_with_path, tree_structure
from .._tree.equal import tree_equal
from .._tree.predicates import is_array
from .arguments import name_of
from .axes import locate_output
from .eager import compiled_if_eager
from .template import Template

_Struct = cast(Any, jax.ShapeDtypeStruct)  # JAX does not type its constructor


def filter_pure_callback(
    callback: Callable[..., Any],
    *args: Any,
    result_shape_dtypes: Any,
    sharding: Any = None,
    vmap_method: str | None = None,
    vectorized: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Call a Python function on the host, also from inside a compiled function. Wraps `jax.pure_callback`.

    **Arguments**

    - `callback`: a function without side effects; JAX decides how often it is called. If it is a Module, its arrays are
        handed over like those of the arguments.
    - `*args`, `**kwargs`: its arguments. It gets arrays as JAX delivers them, and everything else as it is.
    - `result_shape_dtypes`: what it will return: a PyTree with a `jax.ShapeDtypeStruct` (or anything else that has a
        `shape` and a `dtype`) in place of each array, and everything else as it is.
    - `sharding`, `vmap_method`: as in `jax.pure_callback`.
    - `vectorized`: an old name of JAX's for what `vmap_method` says.

    **Returns**

    What `callback` returns.

    **Raises**

    - `TypeError`: `vectorized` is given.
    - `NotImplementedError`: under `jax.vmap` without a `vmap_method`.
    - `RuntimeError` (a subclass of it, when the program runs): `callback` returned something else than
      `result_shape_dtypes` says.

    **Example**
    ```python
    >>> def interpolate(x, kind):
    ...     return np.interp(x, [0.0, 1.0], [0.0, 10.0]).astype(np.float32), kind
    >>> @eqx.filter_jit
    ... def function(x):
    ...     struct = jax.ShapeDtypeStruct(x.shape, x.dtype)
    ...     return eqx.filter_pure_callback(interpolate, x, "linear", result_shape_dtypes=(struct, "linear"))
    >>> function(jnp.array([0.5, 2.0]))
    (Array([ 5., 10.], dtype=float32), 'linear')

    ```
    """
    if vectorized is not None:
        raise TypeError(
            "argument `vectorized` of `filter_pure_callback` is an option that JAX no longer has. Use `vmap_method`: "
            "'expand_dims' or 'broadcast_all' for a callback that takes batches, 'sequential' for one that does not."
        )
    structs = jax.tree.map(_as_struct, result_shape_dtypes)
    options = {"sharding": sharding, "vmap_method": vmap_method}
    given = {option: value for option, value in options.items() if value is not None}
    return compiled_if_eager(_call_back, callback, structs, args, kwargs, given)


def _call_back(
    callback: Callable[..., Any],
    structs: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    leaves, treedef = tree_flatten((callback, args, kwargs))
    mask: list[bool] = [is_array(leaf) for leaf in leaves]
    call = Template(treedef, leaves, mask, None)
    expected, expected_treedef = tree_flatten(structs)
    is_dynamic = [isinstance(leaf, jax.ShapeDtypeStruct) for leaf in expected]
    result = Template(expected_treedef, expected, is_dynamic, None)
    name = name_of(callback)

    def on_host(arrays: list[Any]) -> list[Any]:
        function, args, kwargs = call.fill(arrays)
        output = function(*args, **kwargs)
        returned = tree_flatten_with_path(output)[0]
        if tree_structure(output) != expected_treedef:
            raise ValueError(
                f"`{name}`, called by `filter_pure_callback`, returned something of another structure than "
                f"`result_shape_dtypes`: {tree_structure(output)}, instead of {expected_treedef}."
            )
        for (path, leaf), struct, is_struct in zip(returned, expected, is_dynamic, strict=True):
            if is_struct != is_array(leaf) or not (is_struct or tree_equal(leaf, struct)):
                wanted = f"an array ({struct})" if is_struct else describe(struct)
                raise ValueError(
                    f"`{name}`, called by `filter_pure_callback`, returned something else than `result_shape_dtypes`: "
                    f"{locate_output(path)} is {describe(leaf)}, instead of {wanted}."
                )
        return [leaf for (_, leaf), is_struct in zip(returned, is_dynamic, strict=True) if is_struct]

    arrays = jax.pure_callback(
        on_host,
        [struct for struct, is_struct in zip(expected, is_dynamic, strict=True) if is_struct],
        [leaf for leaf, dynamic in zip(leaves, mask, strict=True) if dynamic],
        **options,
    )
    return result.fill(arrays)


def _as_struct(leaf: Any) -> Any:
    return _Struct(leaf.shape, leaf.dtype) if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else leaf
