"""The stages of compiling ahead of time keep the parameters and the result of the function."""

from typing import Any, assert_type

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    @eqx.filter_jit
    def apply(self, x: Array) -> Array:
        return self.weight


@eqx.filter_jit
def run(model: Model, x: Array, *, times: int = 1) -> tuple[Array, str]:
    return x, ""


def functions(model: Model, x: Array) -> None:
    view = eqx.aot(run)
    assert_type(view(model, x, times=3), tuple[Array, str])
    assert_type(view.eval_shape(model, x, times=3), tuple[Array, str])
    assert_type(view.clear_cache(), None)
    traced = view.trace(model, x, times=3)
    assert_type(traced.out_info, tuple[Array, str])
    lowered = traced.lower()
    assert_type(lowered.as_text(), str)
    compiled = lowered.compile({"xla_cpu_enable_fast_math": True})
    assert_type(compiled(model, x, times=3), tuple[Array, str])
    assert_type(compiled.as_text(), str)
    assert_type(view.lower(model, x).compile()(model, x), tuple[Array, str])
    assert_type(compiled.cost_analysis(), Any)


def methods(model: Model, x: Array) -> None:
    assert_type(eqx.aot(model.apply).lower(x).compile()(x), Array)
    assert_type(eqx.aot(Model.apply).lower(model, x).compile()(model, x), Array)
