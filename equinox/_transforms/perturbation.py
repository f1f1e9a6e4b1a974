"""What JAX tells a derivative rule: which values change at all, and what they are."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from .._jax_tree import keystr, tree_leaves_with_path
from .._tree.predicates import is_array, is_inexact_array
from .arguments import Arguments


def is_reached(changing: Any, leaves: Sequence[Any]) -> list[bool]:
    """Say of each leaf, within a function that `jax.jvp` runs, whether it depends on what changes there.

    The answer is about this one `jax.jvp`, whatever other derivatives are being taken around it. It comes from the one
    place where JAX says so publicly: a derivative rule is told which tangents are symbolically zero.

    **Arguments**

    - `changing`: an argument of the function that changes. Because of it, JAX has to ask the rule here, and does not
      leave it to a derivative further outside.
    - `leaves`: what the function has computed.
    """
    answers: list[bool] = []

    @jax.custom_jvp
    def probe(*arrays: Any) -> tuple[Any, ...]:
        return arrays

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        answers.extend(without_zero(tangent) is not None for tangent in tangents)
        return primals, tangents

    probe.defjvp(rule, symbolic_zeros=True)
    mask = [is_inexact_array(leaf) for leaf in leaves]
    probe(changing, *(leaf for leaf, is_inexact in zip(leaves, mask, strict=True) if is_inexact))
    _, *rest = answers
    fresh = iter(rest)
    return [is_inexact and next(fresh) for is_inexact in mask]


def without_zero(tangent: Any) -> Any:
    """Put `None` for a tangent or cotangent that JAX says is zero, or that can be nothing else."""
    is_zero = type(tangent) is SymbolicZero or getattr(tangent, "dtype", None) == jax.dtypes.float0
    return None if is_zero else tangent


def first_place(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], own: Any) -> str | None:
    """Say, in words, where the first leaf is in a call's arguments, or else in the function itself."""
    if not jax.tree.leaves((args, kwargs, own)):
        return None
    places = Arguments(function).locate_leaves(args, kwargs)
    return [*places, *(f"leaf `{keystr(path)}` of the function itself" for path, _ in tree_leaves_with_path(own))][0]


def as_arrays(values: Iterable[Any]) -> list[Any]:
    """Undo what JAX does to arrays that came from Python numbers.

    Derivative rules get Python numbers again: instances of subclasses of `float`, `int` and `complex` that remember a
    dtype. To `is_array` these are no arrays.
    """
    return [value if is_array(value) else _as_array(value) for value in values]


def _as_array(number: Any) -> jax.Array:
    with jax.ensure_compile_time_eval():  # or else the value would not be known any more
        return jnp.asarray(number)
