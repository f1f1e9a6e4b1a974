"""How long it takes to compile the gradient of many equal layers, compared with few of them."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..row import Row
from ..timing import Calls, Pair


def _compile(depth: int) -> Calls:
    def make(key: Array) -> Any:
        return eqx.nn.TransformerEncoderLayer(32, 4, causal=True, rope=True, key=key)

    stack = eqx.nn.StackedLayers(make, depth, key=jax.random.key(0))
    x = jnp.ones((16, 32))

    def compile_anew() -> Any:
        # Another function each time, because JAX remembers those it knows.
        def loss(stack: Any, x: Array) -> Array:
            return jnp.sum(stack(x) ** 2)

        gradient: Any = eqx.filter_jit(eqx.filter_grad(loss))
        lowered = gradient.lower(stack, x)
        lowered.compile()
        return lowered

    # That it is the same program, but for the number of iterations.
    return Calls(compile_anew, view=lambda lowered: jnp.asarray(lowered.as_text().count("stablehlo.dot_general")))


def _prepare() -> Pair:
    return Pair(_compile(48), _compile(2))


ROWS = (Row("compile 48 stacked layers", "2 of them", 2.0, _prepare, ("nn.StackedLayers",)),)
