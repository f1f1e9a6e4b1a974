"""A loop as a program: its step traced once, and all arrays that it refers to among its arguments."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr

from .._jax_tree import tree_flatten
from ._jaxprs import as_function
from ._loop_step import Loop, State


@dataclasses.dataclass(frozen=True)
class LoopProgram:
    """A loop whose step is a program.

    Its state is `[pred, *values, *buffers]`. The arguments of the step are constants, which are the same in every step,
    and the state; its results are the next state.
    """

    step: ClosedJaxpr
    constants: list[Any]
    start: list[Any]
    num_buffers: int

    @property
    def num_values(self) -> int:
        """How many arrays of the state are no buffers."""
        return len(self.start) - self.num_buffers


def as_program(loop: Loop) -> LoopProgram:
    """Trace the step of a loop."""
    leaves, treedef = tree_flatten(loop.start)

    def step(*leaves: Any) -> list[Any]:
        return jax.tree.leaves(loop.step(treedef.unflatten(leaves)))

    closed = jax.make_jaxpr(step)(*leaves)
    # All that a step may change about the type of an array is that it is weak, which it then was in the beginning only.
    is_strong = [not aval.weak_type for aval in closed.out_avals]
    program = as_function(closed)
    while True:
        leaves = [_strong(leaf) if flag else leaf for leaf, flag in zip(leaves, is_strong, strict=True)]
        avals = jax.eval_shape(program, *leaves)
        flags = [flag or not aval.weak_type for flag, aval in zip(is_strong, avals, strict=True)]
        if flags == is_strong:
            break
        is_strong = flags
    constants = list(closed.consts)

    def with_constants(constants: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
        outputs = as_function(ClosedJaxpr(closed.jaxpr, list(constants)))(*leaves)
        return [_strong(output) if flag else output for output, flag in zip(outputs, is_strong, strict=True)]

    closed_step = jax.make_jaxpr(with_constants)(constants, leaves)
    return LoopProgram(closed_step, constants, leaves, len(loop.start.buffers))


def as_state(program: LoopProgram, leaves: Sequence[Any]) -> State:
    """Take the state of a program apart."""
    pred, *values = leaves[: program.num_values]
    return State(pred, values, list(leaves[program.num_values :]))


def _strong(array: Any) -> Any:
    return jax.lax.convert_element_type(array, array.dtype) if jax.typeof(array).weak_type else array
