"""Is a function being traced at the moment, or is everything computed at once?"""

import jax.numpy as jnp
from jax.core import Tracer


def is_tracing() -> bool:
    """Whether a function is being traced by `jax.jit`, or by anything else that makes a program of it."""
    # Then all that JAX computes becomes a part of the program, whether it depends on arguments or not.
    return isinstance(jnp.zeros(()), Tracer)
