"""Mistakes in training: with what says which parts of a model are trained, and with an optimiser."""

import optax
from jax import Array

import equinox as eqx


class Layer(eqx.Module):
    weight: Array


class Model(eqx.Module):
    layers: tuple[Layer, ...]


def selecting(model: Model) -> None:
    eqx.trainable(model, lambda model: model.layer)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownLambdaType]  # gap: zuban(class-or-function)
    eqx.trainable(model, "layers")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.trainable(model, where=3)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.trainable()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.freeze(model)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.freeze(model, Layer).layer  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]  # gap: zuban(class-or-function)
    _flag: bool = eqx.freeze(model, Layer)  # error: mypy[assignment] pyright[reportAssignmentType]


def optimising(model: Model, gradient: Model) -> None:
    eqx.Optimizer("adam", model)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.Optimizer(optax.adam(1e-3))  # error: mypy[call-arg] pyright[reportCallIssue]
    optimizer = eqx.Optimizer(optax.adam(1e-3), model)
    optimizer.update(gradient)  # error: mypy[call-arg] pyright[reportCallIssue]
    optimizer.update(grads=gradient, model=model)  # error: mypy[call-arg] pyright[reportCallIssue]
    _model: Model = optimizer.update(gradient, model)  # error: mypy[assignment] pyright[reportAssignmentType]
    optimizer.update(gradient, model)[0].layer  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    optimizer.updates  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]


def summarising(model: Model) -> None:
    eqx.tree_inference(model).layer  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.tree_inference(model, "yes")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.tree_summary()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.tree_summary(model).parameter  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _text: str = eqx.tree_summary(model)  # error: mypy[assignment] pyright[reportAssignmentType]
