"""Compiling ahead of time, with the parameters of the function at every stage."""

import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    @eqx.filter_jit
    def apply(self, x: Array) -> Array:
        return self.weight * x


@eqx.filter_jit
def run(model: Model, x: Array, times: int = 1) -> tuple[Array, str]:
    return times * model.apply(x), "done"


model, x = Model(jnp.array(2.0)), jnp.ones(3)

lowered = eqx.aot(run).lower(model, x, times=3)
assert "stablehlo" in lowered.as_text()
compiled = lowered.compile()
output, message = compiled(model, 2 * x, times=3)
assert output.tolist() == [12.0, 12.0, 12.0]
assert message == "done"

assert eqx.aot(run).eval_shape(model, x)[0].shape == (3,)
assert eqx.aot(run).trace(model, x).out_info[1] == "done"
assert eqx.aot(model.apply).lower(x).compile()(x).shape == (3,)
assert eqx.aot(eqx.jitf(run, filter_fn=eqx.is_array)).lower(model, x).compile()(model, x)[1] == "done"
eqx.aot(run).clear_cache()
