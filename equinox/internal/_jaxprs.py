"""Programs as values: closed jaxprs without constants, which a primitive can have among its parameters."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

from ._buffer import maybe_set_p

#: JAX does not type it.
as_function = cast(Callable[[ClosedJaxpr], Callable[..., list[Any]]], jaxpr_as_fun)


def structs(avals: Iterable[Any]) -> list[Any]:
    """Arrays without values, of the types that JAX has noted down."""
    struct: Any = jax.ShapeDtypeStruct  # its `__init__` has no types
    return [struct(aval.shape, aval.dtype, weak_type=aval.weak_type) for aval in avals]


def without_writing(program: ClosedJaxpr, loop: object) -> ClosedJaxpr:
    """The program, for when all that it writes to buffers of a loop has been written: it is not written again.

    Other buffers, of loops that the program contains, are not affected.
    """

    # JAX does not type how parts of a program are replaced.
    def closed(program: Any) -> Any:
        return program.replace(jaxpr=opened(program.jaxpr))

    def opened(jaxpr: Any) -> Any:
        equations: list[Any] = []
        for equation in jaxpr.eqns:
            params: dict[str, Any] = {name: converted(value) for name, value in equation.params.items()}
            if equation.primitive is maybe_set_p and loop in params["loops"]:
                params["is_written"] = True
            equations.append(equation.replace(params=params))
        return jaxpr.replace(eqns=equations)

    def converted(value: Any) -> Any:
        if isinstance(value, ClosedJaxpr):
            return closed(value)
        if isinstance(value, Jaxpr):
            return opened(value)
        return tuple(map(converted, cast(Any, value))) if type(value) is tuple else value

    return cast(ClosedJaxpr, closed(program))
