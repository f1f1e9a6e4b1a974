"""`filter_custom_vjp`: a function with a reverse-mode derivative rule of one's own."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

import jax
import jax.numpy as jnp

from .._errors import first_user_frame
from .._jax_tree import tree_flatten
from .._module import field
from .._module.wrapper import copy_names
from .._tree.partition import filter
from .._tree.predicates import is_array, is_differentiable_array, is_none
from .arguments import name_of
from .conceal import conceal, reveal
from .perturbation import as_arrays, first_place, without_zero
from .split import Places, as_pair, split
from .structure import describe_difference, has_structure
from .wrapped import Wrapped, check_callable

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_X = TypeVar("_X")
_T = TypeVar("_T")
_R = TypeVar("_R")
_S = TypeVar("_S")


class filter_custom_vjp(Wrapped, Generic[_X, _P, _T]):  # noqa: N801 # used like a function
    """Give a function a derivative rule of your own, for reverse mode. Wraps `jax.custom_vjp`.

    The function is differentiated with respect to its first argument, and only that. Arguments and output may hold
    anything. (An array in the function itself cannot be differentiated either.)

    **Arguments**

    - `fn`: the function. Its first argument is to be passed by position.

    The rule consists of a forward pass, registered with [`def_fwd`][equinox.filter_custom_vjp.def_fwd], and a backward
    pass, registered with [`def_bwd`][equinox.filter_custom_vjp.def_bwd]. Both must be there when the function is
    called.

    **Raises** (when called)

    - `RuntimeError`: a part of the rule is missing; anything but the first argument is to be differentiated; or the
      backward pass returns a gradient with another structure than the first argument.
    - `TypeError`: in forward-mode differentiation; or the forward pass returns no pair, or other arrays than `fn`.

    **Example**
    ```python
    >>> @eqx.filter_custom_vjp
    ... def clip_gradient(x, limit):
    ...     return x
    >>> @clip_gradient.def_fwd
    ... def clip_gradient_fwd(perturbed, x, limit):
    ...     return x, None
    >>> @clip_gradient.def_bwd
    ... def clip_gradient_bwd(residuals, grad_out, perturbed, x, limit):
    ...     return jnp.clip(grad_out, -limit, limit)
    >>> jax.grad(lambda x: 10 * clip_gradient(x, 1.0))(2.0)
    Array(1., dtype=float32, weak_type=True)

    ```
    """

    _fwd: Callable[..., Any] | None = field(static=True)
    _bwd: Callable[..., Any] | None = field(static=True)

    def __init__(self, fn: Callable[Concatenate[_X, _P], _T]) -> None:
        name = type(self).__name__
        check_callable(name, fn)
        self._function = fn
        self._transformation = name
        self._fwd = None
        self._bwd = None
        copy_names(self, fn)

    def __call__(self, vjp_arg: _X, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        name = name_of(self._function)
        fwd_rule, bwd_rule = self._fwd, self._bwd
        if fwd_rule is None or bwd_rule is None:
            raise RuntimeError(
                f"`{name}` has no complete derivative rule. Before calling it, register both a forward pass, with "
                "`def_fwd`, and a backward pass, with `def_bwd`."
            )
        first_arrays, first = split(vjp_arg, is_array)
        # `None` takes the first argument's place.
        other_arrays, others = split(((None, *args), kwargs, self._function), is_array)
        # Of the output, what is no array, and where the arrays belong. For the function and for the forward pass this
        # need not be equal, or even comparable: what comes out is from the one that ran last.
        rest: list[Any] = []
        places = first.places

        def hide(value: Any) -> list[Any]:
            nonlocal rest, places
            arrays, remainder = split(value, is_array)
            rest, places = remainder.leaves, remainder.places
            return arrays

        def of_arrays(first_arrays: list[Any], other_arrays: list[Any]) -> list[Any]:
            (_, *args), kwargs, function = others.join(as_arrays(other_arrays))
            return hide(function(first.join(as_arrays(first_arrays)), *args, **kwargs))

        def fwd(first_arrays: list[Any], other_arrays: list[Any]) -> tuple[list[Any], Any]:
            perturbed = first.places.outline((array.perturbed for array in first_arrays), elsewhere=False)
            wrong = others.places.outline(array.perturbed or None for array in other_arrays)
            first_arrays = as_arrays(array.value for array in first_arrays)
            other_arrays = as_arrays(array.value for array in other_arrays)
            (_, *args), kwargs, function = others.join(other_arrays)
            if (place := first_place(function, *wrong)) is not None:
                raise RuntimeError(_not_differentiable(name, place))
            out, residuals = _pair(fwd_rule, fwd_rule(perturbed, first.join(first_arrays), *args, **kwargs))
            arrays = hide(out)
            return arrays, conceal((residuals, perturbed, first_arrays, other_arrays), is_array)

        def bwd(hidden: Any, cotangents: list[Any]) -> tuple[list[Any], None]:
            residuals, perturbed, first_arrays, other_arrays = reveal(hidden)
            (_, *args), kwargs, _ = others.join(other_arrays)
            grad_out = places.outline(map(without_zero, cotangents))
            gradient = bwd_rule(residuals, grad_out, perturbed, first.join(first_arrays), *args, **kwargs)
            return _gradients(bwd_rule, gradient, first_arrays, first.places), None

        of_arrays.__name__, fwd.__name__, bwd.__name__ = name, name_of(fwd_rule), name_of(bwd_rule)
        call = cast(Any, jax.custom_vjp(of_arrays))
        call.defvjp(fwd, bwd, symbolic_zeros=True)
        arrays: list[Any] = call(first_arrays, other_arrays)
        output: _T = places.join(arrays, rest)  # which the call has set
        return output

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: Callable[Concatenate[_S, _Q], _R], instance: _S, owner: Any = None) -> Callable[_Q, _R]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

    def def_fwd(
        self, fn_fwd: Callable[Concatenate[Any, _X, _P], tuple[_T, _R]]
    ) -> Callable[Concatenate[Any, _X, _P], tuple[_T, _R]]:
        """Register the forward pass.

        **Arguments**

        - `fn_fwd`: called as `fn_fwd(perturbed, vjp_arg, *args, **kwargs)`. `perturbed` has the structure of `vjp_arg`,
          and says at each leaf whether it is to be differentiated. It returns `(out, residuals)`: what the function
          returns, and anything that the backward pass needs.

        **Returns**

        `fn_fwd`.
        """
        # A rule is part of the function that it belongs to, but can only be defined after it.
        object.__setattr__(self, "_fwd", fn_fwd)
        return fn_fwd

    def def_bwd(
        self, fn_bwd: Callable[Concatenate[Any, Any, Any, _X, _P], _R]
    ) -> Callable[Concatenate[Any, Any, Any, _X, _P], _R]:
        """Register the backward pass.

        **Arguments**

        - `fn_bwd`: called as `fn_bwd(residuals, grad_out, perturbed, vjp_arg, *args, **kwargs)`. `residuals` are those
          of the forward pass, of which the last arguments are those as well. `grad_out` has the structure of the
          output: an array at each leaf through which the gradient comes, `None` at every other one. It returns the
          gradient with respect to `vjp_arg`, in the structure of that: an array at each floating-point or complex
          array, or `None` for zero. What it returns at any other leaf is ignored.

        **Returns**

        `fn_bwd`.
        """
        object.__setattr__(self, "_bwd", fn_bwd)
        return fn_bwd

    def defvjp(self, fn_fwd: Callable[..., Any], fn_bwd: Callable[..., Any]) -> None:
        """Register both passes, which get arrays of zeros in place of `None`. Deprecated: use `def_fwd` and `def_bwd`.

        **Arguments**

        - `fn_fwd`: called as `fn_fwd(vjp_arg, *args, **kwargs)`. It returns `(out, residuals)`.
        - `fn_bwd`: called as `fn_bwd(residuals, grad_out, vjp_arg, *args, **kwargs)`, where every leaf of `grad_out` is
          an array for which that of the output is a floating-point or complex array. It returns the gradient.
        """
        warnings.warn(
            "`filter_custom_vjp.defvjp` is deprecated. Use `def_fwd` and `def_bwd`, which are told what is to be "
            "differentiated.",
            UserWarning,
            stacklevel=first_user_frame(),
        )

        def fwd(perturbed: Any, vjp_arg: Any, /, *args: Any, **kwargs: Any) -> Any:
            out, residuals = _pair(fn_fwd, fn_fwd(vjp_arg, *args, **kwargs))
            # Of the output, its shapes are enough: the output itself may be large.
            return out, (residuals, jax.eval_shape(lambda: filter(out, is_differentiable_array)))

        def bwd(hidden: Any, grad_out: Any, perturbed: Any, vjp_arg: Any, /, *args: Any, **kwargs: Any) -> Any:
            residuals, outline = hidden
            grad_out = jax.tree.map(_zero_for_none, outline, grad_out)
            return fn_bwd(residuals, grad_out, vjp_arg, *args, **kwargs)

        self.def_fwd(fwd)
        self.def_bwd(bwd)


def _zero_for_none(array: Any, grad: Any) -> Any:
    return jnp.zeros(array.shape, array.dtype) if grad is None else grad


def _not_differentiable(name: str, place: str) -> str:
    return (
        f"Unexpected tangent in `{name}`: {place} is to be differentiated. The rule of a `filter_custom_vjp` gives the "
        "gradient with respect to the first argument only, not to `*args`, to `**kwargs` or to arrays in the function "
        "itself. Pack what is to be differentiated into a tuple, as the first argument."
    )


def _pair(rule: Callable[..., Any], result: Any) -> tuple[Any, Any]:
    return as_pair(result, f"The forward pass `{name_of(rule)}`", "(out, residuals)")


def _gradients(rule: Callable[..., Any], gradient: Any, arrays: list[Any], places: Places) -> list[Any]:
    """Check the gradient that a rule returned, and take it apart: one for each of the arrays in the first argument."""
    is_differentiable = map(is_differentiable_array, arrays)
    expected = places.outline(index if flag else None for index, flag in enumerate(is_differentiable))
    if not has_structure(gradient, expected):
        raise RuntimeError(
            f"The backward pass `{name_of(rule)}` must return a gradient with the structure of the first argument: an "
            "array or `None` at each leaf that is a floating-point or complex array, and `None` at every other leaf. "
            + describe_difference("gradient", gradient, expected, "an array or `None`")
        )
    indices, _ = tree_flatten(expected, is_none)
    leaves, _ = tree_flatten(gradient, is_none)
    found = {index: leaf for index, leaf in zip(indices, leaves, strict=True) if index is not None}
    return [found.get(index) for index in range(len(arrays))]
