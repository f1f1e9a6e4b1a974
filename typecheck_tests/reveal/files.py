"""What is loaded has the type of what it is loaded like; where the file may differ, there is a report as well."""

import io
from pathlib import Path
from typing import Any, assert_type

from jax import Array
from jax.sharding import Sharding

import equinox as eqx


class Model(eqx.Module):
    weight: Array
    name: str


def new_weight(model: Model) -> Array:
    return model.weight


def saving(model: Model, path: Path, file: io.BytesIO) -> None:
    assert_type(eqx.tree_serialise_leaves(path, model), None)
    assert_type(eqx.tree_serialise_leaves(file, model), None)
    assert_type(eqx.save_safetensors("model", model, metadata={"format": "pt"}), None)
    assert_type(eqx.default_serialise_filter_spec(file, model.weight), None)
    assert_type(eqx.state_dict(model), dict[str, Any])


def loading(model: Model, path: Path, file: io.BytesIO, sharding: Sharding) -> None:
    assert_type(eqx.tree_deserialise_leaves(path, model), Model)
    assert_type(eqx.tree_deserialise_leaves(file, model, eqx.default_deserialise_filter_spec), Model)
    assert_type(eqx.tree_deserialise_leaves("model", model, shardings=sharding), Model)
    assert_type(eqx.tree_deserialise_leaves(b"model", {"a": [1]}), dict[str, list[int]])
    assert_type(eqx.tree_deserialise_leaves(path, model, strict=True), Model)
    assert_type(eqx.tree_deserialise_leaves(path, model, strict=False), tuple[Model, eqx.LoadReport])
    old_names = {".w": new_weight}
    assert_type(eqx.tree_deserialise_leaves(path, model, renames=old_names), Model)
    eqx.tree_deserialise_leaves(path, model, renames={".w": lambda m: m.weight})  # gap: zuban(lambda-in-dictionary)
    assert_type(eqx.load_safetensors(path, model, names=lambda name: name.upper()), Model)
    assert_type(eqx.load_safetensors(path, model, strict=False), tuple[Model, eqx.LoadReport])
    assert_type(eqx.load_state_dict(model, {"weight": model.weight}), Model)
    assert_type(eqx.load_state_dict(model, {}, strict=False), tuple[Model, eqx.LoadReport])


def reporting(model: Model) -> None:
    _, report = eqx.load_state_dict(model, {}, strict=False)
    assert_type(report.matched, tuple[str, ...])
    assert_type(report.missing, tuple[str, ...])
    assert_type(report.unexpected, tuple[str, ...])


def failing(model: Model) -> None:
    try:
        eqx.tree_deserialise_leaves("model", model)
    except eqx.TreePathError as error:
        assert_type(error.path, tuple[Any, ...])
