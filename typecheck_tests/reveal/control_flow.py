"""Loops and branches return what they carry, whatever it is."""

from typing import assert_type

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    def step(self, x: Array) -> tuple["Model", Array]:
        return self, x


def scan_step(carry: tuple[Model, int], x: dict[str, Array]) -> tuple[tuple[Model, int], str]:
    return carry, ""


def without_inputs(carry: Model, x: None) -> tuple[Model, Array]:
    return carry, carry.weight


def loops(model: Model, x: Array) -> None:
    assert_type(eqx.filter_scan(scan_step, (model, 1), {"x": x}), tuple[tuple[Model, int], str])
    assert_type(eqx.filter_scan(scan_step, (model, 1), {"x": x}, reverse=True, unroll=2), tuple[tuple[Model, int], str])
    assert_type(eqx.filter_scan(without_inputs, model, length=3), tuple[Model, Array])
    assert_type(eqx.filter_scan(without_inputs, model, None, 3), tuple[Model, Array])
    assert_type(eqx.filter_scan(Model.step, model, x), tuple[Model, Array])
    assert_type(eqx.filter_scan(lambda carry, row: (carry, row), model, x), tuple[Model, Array])  # gap: ty(lambda-argument)
    assert_type(eqx.filter_while_loop(lambda model: model.weight > 0, lambda model: model, model), Model)  # gap: ty(lambda-argument)
    assert_type(eqx.filter_fori_loop(0, 3, lambda i, model: model, model), Model)  # gap: ty(lambda-argument)


def double(model: Model, factor: float) -> tuple[Model, str]:
    return model, ""


def branches(model: Model, x: Array, n: int) -> None:
    assert_type(eqx.filter_cond(x > 0, double, double, model, 1.0), tuple[Model, str])
    assert_type(eqx.filter_cond(True, lambda: n, lambda: 2 * n), int)
    assert_type(eqx.filter_cond(True, lambda model: model, lambda model: model, model), Model)  # gap: ty(type-variable-tuple)
    assert_type(eqx.filter_switch(x, [double, double], model, 1.0), tuple[Model, str])
