"""Finalisation: rewrite a program such that it consists of JAX's own primitives only, in order to export it.

A primitive that this library, or one that is built on it, has defined is unknown to other programs. Its rules for
derivatives and batches are no longer needed when a program is exported. So each equation with such a primitive is
replaced by what it computes, and so are those in the programs that are parameters of other equations: loops, branches,
functions that are called. All other equations remain as they are.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jax
from jax.custom_derivatives import custom_jvp_call_p
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun
from jax.extend.core.primitives import stop_gradient_p

from .._jax_tree import tree_flatten, tree_structure
from .._runtime.primitive import FINALISATIONS

_T = TypeVar("_T")
# JAX does not type these.
_as_function = cast(Any, jaxpr_as_fun)
_Struct = cast(Any, jax.ShapeDtypeStruct)
_checkpoint = cast(Any, jax.checkpoint)
_make_jaxpr = cast(Any, jax.make_jaxpr)
_TUPLE: Any = tuple

#: For each primitive that is to be replaced, the function to replace it with. It takes the operands, and the parameters
#: as keyword arguments; what it computes is finalised, too.
primitive_finalisations = FINALISATIONS


def register_impl_finalisation(prim: Any) -> None:
    """Have a primitive replaced, when a program is finalised, by what it was given with `Primitive.def_impl`.

    **Arguments**

    - `prim`: the primitive.
    """

    def finalisation(*operands: Any, **params: Any) -> Any:
        return prim.impl(*operands, **params)

    primitive_finalisations[prim] = finalisation


def finalise_fn(fn: Callable[..., _T]) -> Callable[..., _T]:
    """Make a function that does the same with JAX's own primitives only.

    **Arguments**

    - `fn`: a function of positional arguments. It and its arguments consist of what `jax.jit` accepts.

    **Returns**

    The function. It is to be exported, and not to be differentiated or batched.

    **Example**
    ```python
    >>> def function(x):
    ...     return eqx.internal.nontraceable(x) + 1
    >>> jax.make_jaxpr(finalise_fn(function))(1.0)
    { lambda ; a:f32[]. let b:f32[] = add a 1.0:f32[] in (b,) }

    ```
    """

    def finalised(*args: Any) -> _T:
        closed, structs = jax.make_jaxpr(fn, return_shape=True)(*args)
        leaves, _ = tree_flatten(args)
        result: _T = tree_structure(structs).unflatten(finalise_eval_jaxpr(closed.jaxpr, closed.consts, *leaves))
        return result

    return finalised


def finalise_make_jaxpr(fn: Callable[..., Any], *, return_shape: bool = False) -> Callable[..., Any]:
    """Do what `jax.make_jaxpr` does, and finalise the result.

    **Arguments**

    - `fn`: as for [`finalise_fn`][equinox.internal.finalise_fn].
    - `return_shape`: as for `jax.make_jaxpr`.

    **Returns**

    A function that takes the arguments of `fn` and returns its program, a `jax.extend.core.ClosedJaxpr`. With
    `return_shape`, a pair: that, and the shapes and dtypes of the result.
    """
    return cast(Callable[..., Any], _make_jaxpr(finalise_fn(fn), return_shape=return_shape))


def finalise_jaxpr(jaxpr: ClosedJaxpr) -> ClosedJaxpr:
    """Finalise a program.

    **Arguments**

    - `jaxpr`: the program. It is left as it is.

    **Returns**

    The program with all primitives replaced that are in `primitive_finalisations`. If there are none, `jaxpr` itself.
    """
    if not _is_to_change(jaxpr.jaxpr):
        return jaxpr
    structs = [_Struct(kind.shape, kind.dtype, weak_type=kind.weak_type) for kind in cast(Any, jaxpr).in_avals]
    return jax.make_jaxpr(finalise_jaxpr_as_fn(jaxpr))(*structs)


def finalise_jaxpr_as_fn(jaxpr: ClosedJaxpr) -> Callable[..., list[Any]]:
    """Turn a program into a function that runs it, finalised.

    **Arguments**

    - `jaxpr`: the program.

    **Returns**

    A function that takes the inputs of the program and returns the list of its outputs.
    """

    def finalised(*args: Any) -> list[Any]:
        return finalise_eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args)

    return finalised


def finalise_eval_jaxpr(jaxpr: Jaxpr, consts: Sequence[Any], *args: Any) -> list[Any]:
    """Run a program, finalised.

    **Arguments**

    - `jaxpr`: the program.
    - `consts`: the values of its constants.
    - `*args`: its inputs.

    **Returns**

    The list of its outputs.
    """
    values: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        outputs = _evaluate(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _evaluate(equation: JaxprEqn, operands: list[Any]) -> list[Any]:
    primitive: Any = equation.primitive
    finalisation = primitive_finalisations.get(primitive)
    if finalisation is not None:
        # What it does may need to be finalised, too.
        rule = finalise_fn(lambda *operands: finalisation(*operands, **equation.params))
        outputs: Any = rule(*operands)
    elif _is_to_change(tuple(equation.params.values())):
        outputs = _evaluate_changed(equation, operands)
    else:
        outputs = _bind(equation, equation.params, operands)
    return list(outputs) if primitive.multiple_results else [outputs]


def _evaluate_changed(equation: JaxprEqn, operands: list[Any]) -> Any:
    """Evaluate an equation some of whose parameters are programs to be finalised."""
    params = equation.params
    if {"jaxpr", "policy", "prevent_cse"} <= params.keys() and isinstance(params["jaxpr"], Jaxpr):
        # Of `jax.checkpoint`. The program is not closed: as a parameter, it could not have constants.
        function = finalise_jaxpr_as_fn(ClosedJaxpr(params["jaxpr"], ()))
        return _checkpoint(function, prevent_cse=params["prevent_cse"], policy=params["policy"])(*operands)
    return _bind(equation, {name: _finalise(value) for name, value in params.items()}, operands)


def _bind(equation: JaxprEqn, params: dict[str, Any], operands: list[Any]) -> Any:
    # JAX documents this method nowhere. Primitives that call functions are bound to these functions, but have programs
    # as parameters; for all others it changes nothing.
    primitive: Any = equation.primitive
    found: Any = primitive.get_bind_params(params)
    functions: Any = ()
    if isinstance(found, _TUPLE):  # it was a pair in older versions
        functions, found = found
    with equation.ctx.manager:
        return primitive.bind(*functions, *operands, **found)


def _is_to_change(value: Any) -> bool:
    """Whether there is something to be finalised in a program, or in the parameters of an equation."""
    if isinstance(value, ClosedJaxpr):
        return _is_to_change(value.jaxpr)
    if isinstance(value, Jaxpr):
        return any(
            equation.primitive in primitive_finalisations or _is_to_change(tuple(equation.params.values()))
            for equation in value.eqns
        )
    return isinstance(value, _TUPLE) and any(map(_is_to_change, value))


def _finalise(value: Any) -> Any:
    """Finalise a parameter of an equation."""
    if isinstance(value, ClosedJaxpr):
        return finalise_jaxpr(value)
    if isinstance(value, _TUPLE) and _is_to_change(value):
        items = [_finalise(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def _inline(*operands: Any, call_jaxpr: ClosedJaxpr, **params: Any) -> Any:
    del params
    return _as_function(call_jaxpr)(*operands)


def _identity(operand: Any) -> Any:
    return operand


primitive_finalisations[custom_jvp_call_p] = _inline
primitive_finalisations[stop_gradient_p] = _identity
