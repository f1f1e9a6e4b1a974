"""A loop with a forward-mode derivative only: JAX's own, with what `vmap` and a limit of steps need."""

import jax
import jax.numpy as jnp

from .._runtime.unvmap import unvmap_any
from ._loop_step import Loop, State


def lax_loop(loop: Loop, max_steps: int | None) -> State:
    """Run a loop.

    JAX would select every array of the carry if the condition were batched. What it is shown is not: another step is
    taken as long as any element of the batch needs it, and each of them knows for itself whether it does.
    """

    def condition(carry: tuple[jax.Array, State]) -> jax.Array:
        count, state = carry
        is_running = unvmap_any(state.pred)
        return is_running if max_steps is None else jnp.logical_and(is_running, count < max_steps)

    def body(carry: tuple[jax.Array, State]) -> tuple[jax.Array, State]:
        count, state = carry
        return count + 1, loop.step(state)

    _, state = jax.lax.while_loop(condition, body, (jnp.zeros((), jnp.int32), loop.start))
    return state
