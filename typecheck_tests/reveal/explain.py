"""Explanations of why a function is compiled again."""

from typing import assert_type

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


def explain(model: Model, x: Array) -> None:
    explanation = eqx.aot(run).explain(model, x, times=3)
    assert_type(explanation, eqx.debug.Explanation)
    assert_type(explanation.hit, bool)
    assert_type(explanation.traces, int)
    assert_type(explanation.differences, tuple[eqx.debug.Difference, ...])
    assert_type(explanation.differences[0].place, str)
    assert_type(explanation.differences[0].before, str)
    assert_type(explanation.differences[0].after, str)
    assert_type(str(explanation), str)
    assert_type(eqx.aot(model.apply).explain(x), eqx.debug.Explanation)


def switch() -> None:
    assert_type(eqx.debug.log_recompiles(), eqx.debug.log_recompiles)
    with eqx.debug.log_recompiles(False) as nothing:
        assert_type(nothing, None)
