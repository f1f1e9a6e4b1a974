"""`filter_jacfwd`, `filter_jacrev`, `filter_hessian`: matrices of derivatives with respect to the first argument."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import jax

from .._jax_tree import tree_flatten
from .._module import field, module_update_wrapper
from .._sentinel import sentinel
from .._tree.predicates import is_array, is_differentiable_array
from .conceal import conceal, reveal
from .split import split, split_aux
from .wrapped import Wrapped, as_decorator, check_callable

# JAX does not type what these return.
_jacfwd = cast(Any, jax.jacfwd)
_jacrev = cast(Any, jax.jacrev)
_hessian = cast(Any, jax.hessian)


class Jacobian(Wrapped):
    """A function that returns the derivatives of another one."""

    #: `jax.jacfwd`, or one like it.
    _derivative: Callable[..., Any] = field(static=True)
    #: How often it differentiates.
    _order: int = field(static=True)
    _has_aux: bool = field(static=True)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not args:
            raise TypeError(
                f"Functions wrapped with `{self._transformation}` are differentiated with respect to their first "
                "positional argument, but no argument was given by position."
            )
        first, *others = args
        function = self._function
        selected, given = split(first, is_differentiable_array)

        def of_selected(selected: list[Any]) -> tuple[list[Any], Any]:
            output, aux = function(given.join(selected), *others, **kwargs), None
            if self._has_aux:
                output, aux = split_aux(function, output)
            leaves, treedef = tree_flatten(output)
            return leaves, conceal((treedef, aux), is_array)

        def arrange(derivatives: Sequence[Any], order: int) -> Any:
            if order == 0:
                return derivatives
            return given.places.outline([arrange(item, order - 1) for item in derivatives])

        if selected:
            jacobian, hidden = self._derivative(of_selected, has_aux=True)(selected)
        else:  # JAX would not know what to compute
            output, hidden = of_selected([])
            jacobian = [list[Any]() for _ in output]
        treedef, aux = reveal(hidden)
        jacobian = treedef.unflatten([arrange(row, self._order) for row in jacobian])
        return (jacobian, aux) if self._has_aux else jacobian


def _jacobian(
    transformation: Callable[..., Any], derivative: Callable[..., Any], order: int, fun: Any, has_aux: bool
) -> Any:
    if fun is sentinel:
        return as_decorator(transformation, {"has_aux": has_aux})
    name = transformation.__name__
    check_callable(name, fun)
    return module_update_wrapper(Jacobian(fun, name, derivative, order, has_aux))


def filter_jacfwd(fun: Any = sentinel, has_aux: bool = False) -> Any:
    """Make the function that returns the Jacobian of another one, column by column. Wraps `jax.jacfwd`.

    Forward mode costs one evaluation for each number in the argument: it is for functions with fewer inputs than
    outputs. All floating-point arrays in the first argument are differentiated, of JAX and of NumPy; Python numbers are
    not. Other arguments may be anything.

    **Arguments**

    - `fun`: a function that returns numbers and arrays. Without it, the result is a decorator.
    - `has_aux`: whether `fun` returns a pair, of which only the first item is differentiated. The second may hold
      anything.

    **Returns**

    A callable with the parameters of `fun`, whose first argument must be passed by position. It returns the Jacobian:
    the structure of the output, and within each of its leaves that of the first argument. An array there has the shape
    of the one followed by the shape of the other. `None` stands at each leaf that is not differentiated. With
    `has_aux`, it returns `(jacobian, aux)`.

    **Raises**

    - `TypeError`: when called without a positional argument; if the output holds anything but numbers and arrays; if
      the argument is complex.

    **Example**
    ```python
    >>> @eqx.filter_jacfwd
    ... def jacobian(point, scale):
    ...     return scale * point["x"] ** 2
    >>> jacobian({"x": jnp.array([1.0, 2.0]), "name": "P"}, 10.0)
    {'name': None, 'x': Array([[20.,  0.],
           [ 0., 40.]], dtype=float32)}

    ```
    """
    return _jacobian(filter_jacfwd, _jacfwd, 1, fun, has_aux)


def filter_jacrev(fun: Any = sentinel, has_aux: bool = False) -> Any:
    """Make the function that returns the Jacobian of another one, row by row. Wraps `jax.jacrev`.

    Reverse mode costs one evaluation for each number in the output: it is for functions with fewer outputs than inputs.
    Everything else is as in [`filter_jacfwd`][equinox.filter_jacfwd].

    **Arguments**

    - `fun`, `has_aux`: as in [`filter_jacfwd`][equinox.filter_jacfwd].

    **Returns**

    As [`filter_jacfwd`][equinox.filter_jacfwd].

    **Raises**

    - `TypeError`: as [`filter_jacfwd`][equinox.filter_jacfwd]; and if the output is complex or an integer.

    **Example**
    ```python
    >>> eqx.filter_jacrev(lambda x: jnp.sum(x**2))(jnp.array([1.0, 2.0]))
    Array([2., 4.], dtype=float32)

    ```
    """
    return _jacobian(filter_jacrev, _jacrev, 1, fun, has_aux)


def filter_hessian(fun: Any = sentinel, has_aux: bool = False) -> Any:
    """Make the function that returns the second derivatives of another one. Wraps `jax.hessian`.

    It is the forward-mode Jacobian of the reverse-mode Jacobian, with the arguments of both.

    **Arguments**

    - `fun`, `has_aux`: as in [`filter_jacfwd`][equinox.filter_jacfwd].

    **Returns**

    A callable like that of [`filter_jacfwd`][equinox.filter_jacfwd]. Within each leaf of the output there is the
    structure of the first argument, and within each leaf of that the same structure again.

    **Raises**

    - `TypeError`: as [`filter_jacrev`][equinox.filter_jacrev].

    **Example**
    ```python
    >>> eqx.filter_hessian(lambda x: x[0] ** 2 * x[1])(jnp.array([1.0, 3.0]))
    Array([[6., 2.],
           [2., 0.]], dtype=float32)

    ```
    """
    return _jacobian(filter_hessian, _hessian, 2, fun, has_aux)
