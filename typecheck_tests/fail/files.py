"""Mistakes with files, of which the types follow from the tree that is loaded into."""

import io

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array
    name: str


def saving(model: Model) -> None:
    eqx.tree_serialise_leaves("model")  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.tree_serialise_leaves(3, model)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.tree_serialise_leaves("model", model, filter_specs=None)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.save_safetensors(io.BytesIO(), model)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.save_safetensors("model", model, metadata={"epoch": 1})  # error: mypy[dict-item] pyright[reportArgumentType]
    eqx.save_safetensors("model", model, names={"weight": "w"})  # error: mypy[arg-type] pyright[reportArgumentType]


def loading(model: Model) -> None:
    eqx.tree_deserialise_leaves("model", model).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _array: Array = eqx.tree_deserialise_leaves("model", model)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.tree_deserialise_leaves("model")  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.tree_deserialise_leaves(model, "model")  # error: mypy[call-overload] pyright[reportArgumentType]
    eqx.tree_deserialise_leaves("model", model, strict=False).weight  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.tree_deserialise_leaves("model", model, renames={".w": lambda model: model.wieght})  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownLambdaType]
    eqx.load_safetensors("model", model).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.load_state_dict(model, [model.weight])  # error: mypy[call-overload] pyright[reportArgumentType]
