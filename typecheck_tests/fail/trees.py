"""Mistakes with functions on trees, of which the types follow from the tree."""

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array
    name: str


def replacing(model: Model, x: Array) -> None:
    eqx.tree_at(lambda model: model.wieght, model, x)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownLambdaType]
    eqx.tree_at(lambda model: model.weight, model)  # error: mypy[call-overload] pyright[reportCallIssue, reportUnknownLambdaType]
    eqx.tree_at(lambda model: model.weight, model, x, replace_fn=lambda x: x)  # error: mypy[call-overload] pyright[reportCallIssue, reportUnknownLambdaType]
    eqx.tree_at(lambda model: model.weight)  # error: mypy[call-overload] pyright[reportCallIssue, reportUnknownLambdaType]
    eqx.tree_at("weight", model, x)  # error: mypy[call-overload] pyright[reportArgumentType]
    eqx.tree_at(lambda model, x: model.weight, model, x)  # error: mypy[arg-type, misc] pyright[reportArgumentType, reportUnknownLambdaType]
    eqx.tree_at(lambda model: model.weight, model, replace_fn=3)  # error: mypy[call-overload] pyright[reportArgumentType]
    _replaced: Array = eqx.tree_at(lambda model: model.weight, model, x)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.tree_at(lambda model: model.weight, model, x).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]


def filtering(model: Model, x: Array) -> None:
    eqx.filter(model)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter(model, eqx.is_array).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _filtered: Array = eqx.filter(model, eqx.is_array)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.filter(model, eqx.is_array, invers=True)  # error: mypy[call-arg] pyright[reportCallIssue]
    _arrays, _rest, _more = eqx.partition(model, eqx.is_array)  # error: mypy[misc] pyright[reportAssignmentType, reportUnknownVariableType]
    eqx.partition(model, eqx.is_array)[1].wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.combine()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.combine(model, model).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.apply_updates(model)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.apply_updates(model, model).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _updated: Array = eqx.apply_updates(model, model)  # error: mypy[assignment] pyright[reportAssignmentType]


def asking(model: Model, x: object) -> None:
    x.shape  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    if eqx.is_array(x):
        x.shaep  # error: mypy[union-attr] pyright[reportAttributeAccessIssue]
    if eqx.is_inexact_array(model.name):
        model.name.upper()  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _text: str = eqx.tree_equal(model, model)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.tree_equal()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.is_array()  # error: mypy[call-arg] pyright[reportCallIssue]
    _size: int = eqx.tree_pformat(model)  # error: mypy[assignment] pyright[reportAssignmentType]
