"""Filtering and joining keep the type of the tree."""

from typing import assert_type

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array
    name: str


def of_a_module(model: Model) -> None:
    assert_type(eqx.filter(model, eqx.is_array), Model)
    assert_type(eqx.filter(model, eqx.is_array, inverse=True, replace=0), Model)
    assert_type(eqx.partition(model, eqx.is_array), tuple[Model, Model])
    assert_type(eqx.partition(model, eqx.filter(model, True), is_leaf=lambda x: x is None), tuple[Model, Model])
    assert_type(eqx.combine(model, model), Model)
    assert_type(eqx.combine(*eqx.partition(model, eqx.is_array)), Model)
    assert_type(eqx.apply_updates(model, model), Model)


def of_containers(
    models: list[Model], named: dict[str, tuple[Array, int]], weighted: tuple[list[Model], float]
) -> None:
    assert_type(eqx.filter(models, eqx.is_array), list[Model])
    assert_type(eqx.partition(named, eqx.is_array), tuple[dict[str, tuple[Array, int]], dict[str, tuple[Array, int]]])
    assert_type(eqx.combine(named, named), dict[str, tuple[Array, int]])
    assert_type(eqx.apply_updates(weighted, None), tuple[list[Model], float])
