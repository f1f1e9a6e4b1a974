"""Checkers report every attempt to change a layer."""

import inspect
from typing import ClassVar, Final, get_origin

import pytest
from typing_extensions import Format, get_annotations

import equinox as eqx

LAYERS = [value for name in dir(eqx.nn) if inspect.isclass(value := getattr(eqx.nn, name))]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_all_fields_of_a_layer_are_final(layer: type[eqx.Module]) -> None:
    annotations = get_annotations(layer, format=Format.FORWARDREF)
    changeable = {name for name, annotation in annotations.items() if get_origin(annotation) not in {Final, ClassVar}}
    assert not changeable


def test_there_are_layers() -> None:
    assert eqx.nn.Linear in LAYERS
