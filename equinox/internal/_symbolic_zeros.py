"""Which parts of a program's derivative are zero whatever its values are: what JAX calls symbolic zeros.

A loop has to know before it can be differentiated. JAX knows for each operation, and tells it to derivative rules. So
the questions are asked by rules, of functions that change nothing, while the program is traced for nothing else.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from .._transforms.perturbation import is_reached, without_zero
from ._jaxprs import as_function, structs

#: JAX does not type it.
_vjp = cast(Any, jax.vjp)


def perturbed_outputs(program: ClosedJaxpr, is_perturbed: Sequence[bool]) -> list[bool]:
    """Say which outputs of a program have a tangent if these of its inputs have."""
    answers = [False] * len(program.out_avals)

    def ask(arrays: list[Any]) -> None:
        def changing(*changed: Any) -> None:
            answers[:] = is_reached(changed[0], as_function(program)(*_merged(arrays, is_perturbed, changed)))

        selected = _selected(arrays, is_perturbed)
        jax.jvp(changing, selected, selected)

    if any(is_perturbed):
        jax.eval_shape(ask, structs(program.in_avals))
    return answers


def cotangent_inputs(program: ClosedJaxpr, is_perturbed: Sequence[bool], has_cotangent: Sequence[bool]) -> list[bool]:
    """Say which of the perturbed inputs of a program get a cotangent if these of its outputs have."""
    answers: list[bool] = []

    @jax.custom_vjp
    def probe(*arrays: Any) -> tuple[Any, ...]:
        return arrays

    def forward(*arrays: Any) -> tuple[tuple[Any, ...], None]:
        return tuple(array.value for array in arrays), None

    def backward(_: None, cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        answers.extend(without_zero(cotangent) is not None for cotangent in cotangents)
        return tuple(map(without_zero, cotangents))

    probe.defvjp(forward, backward, symbolic_zeros=True)

    def ask(arrays: list[Any]) -> None:
        def of_perturbed(*changed: Any) -> list[Any]:
            outputs = as_function(program)(*_merged(arrays, is_perturbed, cast(Any, probe)(*changed)))
            return _selected(outputs, has_cotangent)

        outputs, pull_back = _vjp(of_perturbed, *_selected(arrays, is_perturbed))
        pull_back([jnp.ones_like(output) for output in outputs])

    if any(has_cotangent) and any(is_perturbed):
        jax.eval_shape(ask, structs(program.in_avals))
    fresh = iter(answers or [False] * len(is_perturbed))
    return [flag and next(fresh) for flag in is_perturbed]


def fixed_point(advance: Callable[[list[bool]], Sequence[bool]], flags: Sequence[bool]) -> list[bool]:
    """Set the flags that `advance` sets, given those that are set, until there are no more of them."""
    current = list(flags)
    while True:
        after = [old or new for old, new in zip(current, advance(current), strict=True)]
        if after == current:
            return current
        current = after


def _selected(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    return [item for item, flag in zip(items, flags, strict=True) if flag]


def _merged(items: Sequence[Any], flags: Sequence[bool], others: Sequence[Any]) -> list[Any]:
    fresh = iter(others)
    return [next(fresh) if flag else item for item, flag in zip(items, flags, strict=True)]
