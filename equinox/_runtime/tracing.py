"""Is a function being traced at the moment, or is everything computed at once?"""

from typing import Any, Final

from jax.extend.core import Primitive


class _IsTracingError(Exception):
    """The answer is yes. Being an error, it leaves nothing in the program."""


def is_tracing() -> bool:
    """Whether a function is being traced by `jax.jit`, or by anything else that makes a program of it."""
    # Then all that JAX computes becomes a part of the program, whether it depends on arguments or not.
    try:
        _is_computed_p.bind()
    except _IsTracingError:
        return True
    return False


def _compute() -> list[Any]:
    return []


def _abstract_eval() -> list[Any]:
    raise _IsTracingError


_is_computed_p: Final[Any] = Primitive("is_computed")
_is_computed_p.multiple_results = True
_is_computed_p.def_impl(_compute)
_is_computed_p.def_abstract_eval(_abstract_eval)
