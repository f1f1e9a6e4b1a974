"""`filter_vjp`: reverse-mode derivatives with respect to all floating-point arrays in the arguments."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast, overload

import jax

from .._tree.predicates import is_array, is_differentiable_array
from .conceal import conceal, reveal
from .split import Places, split, split_aux
from .structure import describe_difference, has_structure
from .wrapped import check_callable

_T = TypeVar("_T")
_X = TypeVar("_X")

_vjp = cast(Any, jax.vjp)  # JAX types neither it nor what it returns
_Partial = cast(Any, jax.tree_util.Partial)


@dataclasses.dataclass(frozen=True)
class _Pullback:
    """Puts a cotangent of the output in the form that JAX expects, and the gradients in the form of the primals."""

    primals: Places
    output: Places

    def __call__(self, vjp: Callable[[list[Any]], tuple[list[Any]]], cotangent: Any, /) -> Any:
        expected = self.output.outline(range(len(self.output.mask)))
        if not has_structure(cotangent, expected, is_leaf=None):
            raise ValueError(
                "The cotangent must have the structure of the output, with an array at each leaf that is a "
                "floating-point or complex array, and `None` at every other leaf. "
                + describe_difference("cotangent", cotangent, expected, "an array", is_leaf=None)
            )
        (gradients,) = vjp(jax.tree.leaves(cotangent))
        return self.primals.outline(gradients)


@overload
def filter_vjp(
    fun: Callable[..., _T], *primals: Any, has_aux: Literal[False] = False
) -> tuple[_T, Callable[[_T], tuple[Any, ...]]]: ...
@overload
def filter_vjp(
    fun: Callable[..., tuple[_T, _X]], *primals: Any, has_aux: Literal[True]
) -> tuple[_T, Callable[[_T], tuple[Any, ...]], _X]: ...
def filter_vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function, and prepare its derivative from the output back to the arguments. Wraps `jax.vjp`.

    All floating-point and complex arrays in the arguments, of JAX and of NumPy, are differentiated; Python numbers are
    not. Arguments and output may hold anything.

    **Arguments**

    - `fun`: the function.
    - `*primals`: its positional arguments.
    - `has_aux`: whether `fun` returns a pair, of which only the first item is differentiated. The second may hold
      anything.

    **Returns**

    `(output, vjp)`; with `has_aux`, `(output, vjp, aux)`. `vjp(cotangent)` takes a tree with the structure of the
    output: an array of the same shape and dtype at each floating-point or complex array, `None` at every other leaf. It
    returns a tuple with the gradient for each primal, with `None` at each leaf that is not differentiated. `vjp` can be
    called any number of times. It is a PyTree, which may leave or enter a compiled function.

    **Raises**

    - `TypeError`: `fun` is not callable; with `has_aux`, if it returns no pair.
    - `ValueError`: from `vjp`, if the cotangent has another structure than the output, or arrays of other shapes.

    **Example**
    ```python
    >>> def scale(x, factor, name):
    ...     return x * factor, name
    >>> output, vjp = eqx.filter_vjp(scale, jnp.array([1.0, 2.0]), 3.0, "result")
    >>> output
    (Array([3., 6.], dtype=float32), 'result')
    >>> vjp((jnp.array([1.0, 0.0]), None))
    (Array([3., 0.], dtype=float32), None, None)

    ```
    """
    check_callable("filter_vjp", fun)
    selected, given = split(primals, is_differentiable_array)

    def of_selected(selected: list[Any]) -> tuple[list[Any], Any]:
        output, aux = fun(*given.join(selected)), None
        if has_aux:
            output, aux = split_aux(fun, output)
        selected, remainder = split(output, is_differentiable_array)
        return selected, conceal((remainder.leaves, remainder.places, aux), is_array)

    selected, vjp, hidden = _vjp(of_selected, selected, has_aux=True)
    rest, places, aux = reveal(hidden)
    output = places.join(selected, rest)
    # Unlike a Module, this kind of PyTree has a hash even if it holds arrays, so `jax.jit` takes it for a function.
    pullback = _Partial(_Pullback(given.places, places), vjp)
    return (output, pullback, aux) if has_aux else (output, pullback)
