"""What says which parts of a model are trained has the type of the model, and so has the model after a step."""

from typing import Any, assert_type

import optax
from jax import Array

import equinox as eqx


class Layer(eqx.Module):
    weight: Array
    bias: Array | None


class Model(eqx.Module):
    layers: tuple[Layer, ...]
    name: str


def selecting(model: Model) -> None:
    assert_type(eqx.trainable(model), Model)
    assert_type(eqx.trainable(model, lambda model: model.layers[-1].weight), Model)
    assert_type(eqx.trainable(model, where=lambda model: [layer.bias for layer in model.layers]), Model)
    assert_type(eqx.trainable(model, where=Layer), Model)  # gap: zuban(class-or-function)
    assert_type(eqx.trainable(model, (Layer, lambda m: m.layers[0])), Model)  # gap: zuban(class-or-function)
    assert_type(eqx.freeze(model, where=lambda model: model.layers[0]), Model)
    assert_type(eqx.freeze(model, Layer), Model)  # gap: zuban(class-or-function)
    assert_type(eqx.partition(model, eqx.freeze(model, Layer)), tuple[Model, Model])


def optimising(model: Model, x: Array, gradient: Any) -> None:
    optimizer = eqx.Optimizer(optax.adam(1e-3), model)
    assert_type(optimizer, eqx.Optimizer)
    assert_type(eqx.Optimizer(optax.MultiSteps(optax.sgd(0.1), 2), model, eqx.is_array), eqx.Optimizer)
    assert_type(eqx.Optimizer(optax.sgd(0.1), model, filter=eqx.trainable(model, where=Layer)), eqx.Optimizer)
    assert_type(optimizer.update(gradient, model), tuple[Model, eqx.Optimizer])
    assert_type(optimizer.update(model, model, value=x, value_fn=len), tuple[Model, eqx.Optimizer])
    assert_type(optimizer.state, Any)


def switching(model: Model) -> None:
    assert_type(eqx.tree_inference(model), Model)
    assert_type(eqx.tree_inference([model], value=False), list[Model])


def summarising(model: Model, x: Array) -> None:
    summary = eqx.tree_summary(model, x, filter=eqx.is_array, key=x)
    assert_type(summary, eqx.TreeSummary)
    assert_type((summary.parameters, summary.trainable, summary.bytes), tuple[int, int, int])
    assert_type(summary.flops, int | None)
    assert_type(summary.to_dict(), dict[str, Any])
    for row in summary.rows:
        assert_type((row.path, row.type, row.dtypes, row.calls), tuple[str, str, tuple[str, ...], int])
        assert_type((row.inputs, row.output), tuple[dict[str, Any] | None, Any])
