"""A loop with derivatives of both modes and a limit of steps: nested scans, each of which may end early.

A scan has derivatives, but makes all of its steps. So each is a conditional, which does nothing once the loop has
finished; and so that many steps of doing nothing cost little, the steps are those of scans that are steps of scans, and
so on. For reverse mode, all but the innermost scans forget what they computed, and compute it again.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp

from .._runtime.unvmap import unvmap_any
from ._jaxprs import as_function
from ._loop_program import as_program, as_state
from ._loop_step import Loop, State

_Carry: TypeAlias = tuple[jax.Array, list[Any]]
# JAX does not type these.
_cond = cast(Any, jax.lax.cond)
_checkpoint = cast(Any, jax.checkpoint)


def bounded_loop(loop: Loop, max_steps: int, base: int) -> State:
    """Run a loop of at most `max_steps` steps, as nested scans of `base` steps each."""
    program = as_program(loop)
    step = as_function(program.step)

    def one_step(carry: _Carry) -> _Carry:
        count, leaves = carry
        return count + 1, step(*program.constants, *leaves)

    def repeated(steps: Callable[[_Carry], _Carry]) -> Callable[[_Carry], _Carry]:
        def some(carry: _Carry, _: None) -> tuple[_Carry, None]:
            count, (pred, *_values) = carry
            is_running = jnp.logical_and(unvmap_any(pred), count < max_steps)
            return _cond(is_running, steps, _unchanged, carry), None

        def scan(carry: _Carry) -> _Carry:
            after, _ = jax.lax.scan(some, carry, None, length=base)
            return after

        return scan

    steps, length = repeated(one_step), base
    while length < max_steps:
        steps, length = repeated(_checkpoint(steps)), length * base
    _, leaves = steps((jnp.zeros((), jnp.int32), program.start))
    return as_state(program, leaves)


def _unchanged(carry: _Carry) -> _Carry:
    return carry
