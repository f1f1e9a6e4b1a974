"""Functions on trees keep the type of the tree; `tree_at` knows the tree inside of its first argument."""

from collections.abc import Sequence
from typing import Any, assert_type

from jax import Array

import equinox as eqx


class Layer(eqx.Module):
    weight: Array
    bias: Array | None


class Model(eqx.Module):
    layers: tuple[Layer, ...]
    name: str


def replacing(model: Model, x: Array) -> None:
    assert_type(eqx.tree_at(lambda model: model.layers[0].weight, model, x), Model)
    assert_type(eqx.tree_at(lambda model: (model.name, model.layers), model, ("new", ())), Model)
    assert_type(
        eqx.tree_at(lambda model: model.layers[0].bias, model, replace=True, is_leaf=lambda x: x is None), Model
    )
    assert_type(eqx.tree_at(lambda model: model.layers[-1].weight, model, replace_fn=lambda weight: 2 * weight), Model)
    assert_type(eqx.tree_at(lambda tree: tree["a"][0], {"a": [x]}, x), dict[str, list[Array]])


def comparing(model: Model, x: Array) -> None:
    assert_type(eqx.tree_equal(model, model), bool | Array)
    assert_type(eqx.tree_equal(model, x, "text", typematch=True, rtol=1e-3, atol=1e-6), bool | Array)
    assert_type(model == model, bool | Array)
    assert_type(model != model, bool | Array)


def printing(model: Model) -> None:
    assert_type(eqx.tree_pformat(model), str)
    assert_type(eqx.tree_pprint(model), None)
    assert_type(repr(model), str)


def inspecting(model: Model) -> None:
    assert_type(eqx.tree_check(model), None)
    children, structure = eqx.tree_flatten_one_level(model)
    assert_type(children, list[Any])
    del structure


def of_any_tree(trees: Sequence[Model]) -> None:
    assert_type(eqx.tree_at(lambda trees: trees[0], trees, None), Sequence[Model])
