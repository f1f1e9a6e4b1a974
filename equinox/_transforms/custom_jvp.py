"""`filter_custom_jvp`: a function with a forward-mode derivative rule of one's own."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, Self, TypeVar, cast, overload

import jax

from .._errors import first_user_frame
from .._jax_tree import tree_flatten
from .._module import field
from .._module.wrapper import copy_names
from .._tree.predicates import is_array, is_differentiable_array, is_none
from .arguments import name_of
from .perturbation import as_arrays, first_place, without_zero
from .split import as_pair, split
from .structure import describe_difference, has_structure
from .wrapped import Wrapped, check_callable

_zero_from_primal = cast(Any, jax.custom_derivatives.zero_from_primal)  # JAX does not type it

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_T = TypeVar("_T")
_R = TypeVar("_R")
_D = TypeVar("_D")
_S = TypeVar("_S")


class filter_custom_jvp(Wrapped, Generic[_P, _T]):  # noqa: N801 # used like a function
    """Give a function a derivative rule of your own, for forward and reverse mode. Wraps `jax.custom_jvp`.

    Arrays in the arguments, and in the function itself, are traced. Everything else may be anything.

    **Arguments**

    - `fn`: the function. Its output must consist of numbers and arrays.

    The rule is registered with [`def_jvp`][equinox.filter_custom_jvp.def_jvp]. It must be there when the function is
    called; a later one replaces it.

    **Raises** (when called)

    - `AttributeError`: there is no rule yet.
    - `ValueError`: a keyword argument, or an array in the function itself, is to be differentiated.
    - `TypeError`: the rule returns no pair, or a tangent with another structure, shape or dtype than the output.

    **Example**
    ```python
    >>> @eqx.filter_custom_jvp
    ... def clip(x, low, high):
    ...     return jnp.clip(x, low, high)
    >>> @clip.def_jvp
    ... def clip_jvp(primals, tangents):
    ...     x, low, high = primals
    ...     dx, _, _ = tangents
    ...     return clip(x, low, high), dx
    >>> jax.grad(clip)(2.0, 0.0, 1.0)
    Array(1., dtype=float32, weak_type=True)

    ```
    """

    _rule: Callable[..., Any] | None = field(static=True)

    def __init__(self, fn: Callable[_P, _T]) -> None:
        name = type(self).__name__
        check_callable(name, fn)
        self._function = fn
        self._transformation = name
        self._rule = None
        copy_names(self, fn)

    def __call__(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        name = name_of(self._function)
        rule = self._rule
        if rule is None:
            raise AttributeError(f"`{name}` has no derivative rule. Register one with `def_jvp` before calling it.")
        arrays, given = split((args, self._function, kwargs), is_array)

        def of_arrays(*arrays: Any) -> Any:
            args, function, kwargs = given.join(as_arrays(arrays))
            return function(*args, **kwargs)

        def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            args, function, kwargs = given.join(as_arrays(primals))
            tangents_in, of_function, of_keywords = given.places.outline(map(without_zero, tangents))
            if (place := first_place(function, (), of_keywords, of_function)) is not None:
                raise ValueError(_keyword_tangent(name, place))
            return _complete(rule, rule(args, tangents_in, **kwargs))

        of_arrays.__name__ = name
        jvp.__name__ = name_of(rule)
        call = jax.custom_jvp(of_arrays)
        call.defjvp(jvp, symbolic_zeros=True)
        output: _T = call(*arrays)
        return output

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: Callable[Concatenate[_S, _Q], _R], instance: _S, owner: Any = None) -> Callable[_Q, _R]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

    def def_jvp(self, fn_jvp: Callable[_Q, tuple[_T, _D]]) -> Callable[_Q, tuple[_T, _D]]:
        """Register the derivative rule.

        **Arguments**

        - `fn_jvp`: called as `fn_jvp(primals, tangents, **kwargs)`. `primals` is the tuple of positional arguments.
          `tangents` has the same structure: an array at each leaf that changes, `None` at every other one. `kwargs` are
          the keyword arguments that were passed, without defaults. It returns `(out, tangent_out)`: what the function
          returns, and a tangent for each leaf of that, of the same shape and dtype, or `None` for zero.

        **Returns**

        `fn_jvp`.
        """
        # A rule is part of the function that it belongs to, but can only be defined after it.
        object.__setattr__(self, "_rule", fn_jvp)
        return fn_jvp

    def defjvp(self, fn_jvp: Callable[..., Any]) -> None:
        """Register a derivative rule that gets arrays of zeros in place of `None`. Deprecated: use `def_jvp`.

        **Arguments**

        - `fn_jvp`: as in `def_jvp`, but every leaf of `tangents` is an array for which that of `primals` is a
          floating-point or complex array.
        """
        warnings.warn(
            "`filter_custom_jvp.defjvp` is deprecated. Use `def_jvp`, whose rule gets `None` where a tangent is zero.",
            UserWarning,
            stacklevel=first_user_frame(),
        )

        def with_zeros(primals: Any, tangents: Any, /, **kwargs: Any) -> Any:
            return fn_jvp(primals, jax.tree.map(_zero_for_none, primals, tangents), **kwargs)

        self.def_jvp(with_zeros)

    def defjvps(self, *fn_jvps: Any) -> NoReturn:
        """Not implemented: one rule for each argument, as in `jax.custom_jvp`. Use `def_jvp`."""
        raise NotImplementedError("`filter_custom_jvp.defjvps` is not implemented. Write one rule, for `def_jvp`.")


def _keyword_tangent(name: str, place: str) -> str:
    return (
        f"`{name}` received a keyword tangent: {place} is to be differentiated. The rule of a `filter_custom_jvp` gets "
        "tangents of positional arguments only, not of keyword arguments or of arrays in the function itself. Pass "
        "what is to be differentiated by position."
    )


def _complete(rule: Callable[..., Any], result: Any) -> tuple[Any, Any]:
    """Check what a rule returned, and replace each `None` among the tangents by a zero that JAX understands."""
    name = name_of(rule)
    out, tangent_out = as_pair(result, f"The derivative rule `{name}`", "(out, tangent_out)")
    if not has_structure(tangent_out, out):
        raise TypeError(
            f"The derivative rule `{name}` must return `(out, tangent_out)`, both with the same structure, where a "
            "tangent of `None` stands for zero. "
            + describe_difference("tangent_out", tangent_out, out, "a tangent or `None`")
        )
    leaves, treedef = tree_flatten(out, is_none)
    tangents, _ = tree_flatten(tangent_out, is_none)
    pairs = zip(leaves, tangents, strict=True)
    return out, treedef.unflatten(
        [
            _zero_from_primal(leaf, symbolic_zeros=True) if leaf is not None and tangent is None else tangent
            for leaf, tangent in pairs
        ]
    )


def _zero_for_none(primal: Any, tangent: Any) -> Any:
    return _zero_from_primal(primal) if tangent is None and is_differentiable_array(primal) else tangent
