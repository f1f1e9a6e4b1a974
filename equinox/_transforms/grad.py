"""`gradf`, `value_and_grad_f`, `filter_grad`, `filter_value_and_grad`: gradients with respect to some leaves."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from .._module import module_update_wrapper
from .._sentinel import sentinel
from .._tree.predicates import is_differentiable_array
from .differentiate import Differentiated, GradOptions
from .selection import ByFunction, make_selection
from .wrapped import as_decorator, check_callable, reject_removed_options


def _of_selection(
    transformation: Callable[..., Any],
    returns_value: bool,
    fun: Any,
    filter_fn: Callable[[Any], bool] | None,
    filter_tree: Any,
    argnums: int | Sequence[int],
    has_aux: bool,
    holomorphic: bool,
    allow_int: bool,
    reduce_axes: Sequence[Any],
) -> Any:
    name = transformation.__name__
    if not isinstance(argnums, int):
        argnums = tuple(argnums)
    for position in (argnums,) if isinstance(argnums, int) else argnums:
        if position < 0:
            raise ValueError(
                f"`argnums` of `{name}` must be positions counted from the start, 0 for the first. Found {position}."
            )
    selection = make_selection(name, filter_fn, filter_tree, in_tuple=not isinstance(argnums, int))
    if fun is sentinel:
        options = {"filter_fn": filter_fn, "filter_tree": filter_tree, "argnums": argnums, "has_aux": has_aux}
        options |= {"holomorphic": holomorphic, "allow_int": allow_int, "reduce_axes": reduce_axes}
        return as_decorator(transformation, options)
    check_callable(name, fun)
    jax_options = (("reduce_axes", tuple(reduce_axes)),) if reduce_axes else ()
    grad_options = GradOptions(selection, argnums, has_aux, returns_value, holomorphic, allow_int, jax_options)
    return module_update_wrapper(Differentiated(fun, name, grad_options))


def gradf(
    fun: Any = sentinel,
    *,
    filter_fn: Callable[[Any], bool] | None = None,
    filter_tree: Any = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Any:
    """Differentiate a function with respect to those leaves of an argument that a filter selects. Wraps `jax.grad`.

    **Arguments**

    - `fun`: a function that returns a scalar. Without it, the result is a decorator.
    - `filter_fn`: called with each leaf of the argument; returns `True` if it is to be differentiated.
      [`is_inexact_array`][equinox.is_inexact_array] selects every floating-point array.
    - `filter_tree`: instead, a tree of booleans with the structure of the argument, or a tuple of them if `argnums` is
      a sequence.
    - `argnums`: the position of the argument, or a sequence of positions.
    - `has_aux`: whether `fun` returns a pair, of which only the first item is differentiated. The second may hold
      anything.
    - `holomorphic`, `allow_int`, `reduce_axes`: as in `jax.grad`.

    **Returns**

    A callable with the parameters of `fun`. It returns the gradient, which has the structure of the argument, with
    `None` at each leaf that was not selected; or a tuple of them if `argnums` is a sequence. With `has_aux`, it returns
    `(gradient, aux)`. [`apply_updates`][equinox.apply_updates] knows what to do with the `None`s.

    **Raises**

    - `ValueError`: not precisely one of `filter_fn` and `filter_tree` is given, `filter_tree` does not have the
      structure of the argument, or `argnums` is negative.
    - `TypeError`: there is no positional argument at `argnums`; a selected leaf has no gradient; the output is no
      scalar; `filter_fn` returned no bool.

    **Example**
    ```python
    >>> def loss(model, x):
    ...     return (model["weight"] * x) ** model["power"]
    >>> gradient = eqx.gradf(loss, filter_fn=eqx.is_inexact_array)
    >>> gradient({"weight": jnp.array(2.0), "power": 2}, 3.0)
    {'power': None, 'weight': Array(36., dtype=float32, weak_type=True)}

    ```
    """
    return _of_selection(
        gradf, False, fun, filter_fn, filter_tree, argnums, has_aux, holomorphic, allow_int, reduce_axes
    )


def value_and_grad_f(
    fun: Any = sentinel,
    *,
    filter_fn: Callable[[Any], bool] | None = None,
    filter_tree: Any = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Any:
    """Like [`gradf`][equinox.gradf], and return the value as well. Wraps `jax.value_and_grad`.

    **Arguments**

    - `fun`, `filter_fn`, `filter_tree`, `argnums`, `has_aux`, `holomorphic`, `allow_int`, `reduce_axes`: as in
      [`gradf`][equinox.gradf].

    **Returns**

    A callable with the parameters of `fun`, which returns `(value, gradient)`; with `has_aux`,
    `((value, aux), gradient)`.

    **Raises**

    As [`gradf`][equinox.gradf].

    **Example**
    ```python
    >>> @eqx.value_and_grad_f(filter_fn=eqx.is_inexact_array)
    ... def loss(weight, x):
    ...     return (weight * x) ** 2
    >>> loss(jnp.array(2.0), 3.0)
    (Array(36., dtype=float32, weak_type=True), Array(36., dtype=float32, weak_type=True))

    ```
    """
    return _of_selection(
        value_and_grad_f, True, fun, filter_fn, filter_tree, argnums, has_aux, holomorphic, allow_int, reduce_axes
    )


_DIFFERENTIABLE: Final = ByFunction(is_differentiable_array)


def _of_arrays(
    transformation: Callable[..., Any], returns_value: bool, fun: Any, has_aux: bool, gradkwargs: dict[str, Any]
) -> Any:
    name = transformation.__name__
    reject_removed_options(name, gradkwargs, "arg", "filter_spec")
    if gradkwargs.pop("argnums", None) is not None:
        raise ValueError(
            f"`{name}` differentiates with respect to the first argument and does not take `argnums`. Pack what is to "
            "be differentiated into a tuple and pass that first, or use `gradf`."
        )
    if fun is sentinel:
        return as_decorator(transformation, {"has_aux": has_aux} | gradkwargs)
    check_callable(name, fun)
    holomorphic = gradkwargs.pop("holomorphic", False)
    allow_int = gradkwargs.pop("allow_int", False)
    jax_options = tuple(sorted(gradkwargs.items()))
    grad_options = GradOptions(_DIFFERENTIABLE, 0, has_aux, returns_value, holomorphic, allow_int, jax_options)
    return module_update_wrapper(Differentiated(fun, name, grad_options))


def filter_grad(fun: Any = sentinel, *, has_aux: bool = False, **gradkwargs: Any) -> Any:
    """Differentiate a function with respect to all floating-point arrays in its first argument. Wraps `jax.grad`.

    Arrays of JAX and of NumPy count; Python numbers do not. Other arguments are not differentiated and may be anything.

    **Arguments**

    - `fun`: a function that returns a scalar. Without it, the result is a decorator.
    - `has_aux`: whether `fun` returns a pair, of which only the first item is differentiated. The second may hold
      anything.
    - `**gradkwargs`: `holomorphic`, `allow_int`, `reduce_axes`, as in `jax.grad`.

    **Returns**

    A callable with the parameters of `fun`. It returns the gradient, which has the structure of the first argument,
    with `None` at each leaf that is no floating-point array. With `has_aux`, it returns `(gradient, aux)`.

    **Raises**

    - `ValueError`: `argnums` is given.
    - `TypeError`: when called without a positional argument, or if the output is no scalar.

    **Example**
    ```python
    >>> @eqx.filter_grad
    ... def loss(model, x):
    ...     return (model["weight"] * x) ** model["power"]
    >>> loss({"weight": jnp.array(2.0), "power": 2}, 3.0)
    {'power': None, 'weight': Array(36., dtype=float32, weak_type=True)}

    ```
    """
    return _of_arrays(filter_grad, False, fun, has_aux, gradkwargs)


def filter_value_and_grad(fun: Any = sentinel, *, has_aux: bool = False, **gradkwargs: Any) -> Any:
    """Like [`filter_grad`][equinox.filter_grad], and return the value as well. Wraps `jax.value_and_grad`.

    **Arguments**

    - `fun`, `has_aux`, `**gradkwargs`: as in [`filter_grad`][equinox.filter_grad].

    **Returns**

    A callable with the parameters of `fun`, which returns `(value, gradient)`; with `has_aux`,
    `((value, aux), gradient)`.

    **Raises**

    As [`filter_grad`][equinox.filter_grad].

    **Example**
    ```python
    >>> eqx.filter_value_and_grad(lambda x: x**2)(jnp.array(3.0))
    (Array(9., dtype=float32, weak_type=True), Array(6., dtype=float32, weak_type=True))

    ```
    """
    return _of_arrays(filter_value_and_grad, True, fun, has_aux, gradkwargs)
