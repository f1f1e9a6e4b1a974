import importlib.metadata
import sys

import pytest

from equinox.check import UsageError, check
from equinox.check._annotations import check_annotations, choose_checker


def is_usable(checker):
    try:
        return choose_checker(checker) == checker
    except UsageError:
        return False


INSTALLED = [name for name in ("beartype", "typeguard") if is_usable(name)]

SOURCE = """
import equinox as eqx
import jax
from jaxtyping import Array, Float

class Scale(eqx.Module):
    weight: Float[Array, "n"]
    def __call__(self, x: Float[Array, "n"]) -> Float[Array, "n"]:
        return x * self.weight
    def wrong(self, x: Float[Array, "n"]) -> Float[Array, "n 1"]:
        return x * self.weight

class Model(eqx.Module):
    scales: list[Scale]
    def __init__(self, *sizes, key):
        self.scales = [Scale(jax.random.normal(key, (size,))) for size in sizes]
    def __call__(self, x):
        return self.scales[0](x) + self.scales[1](x)

def loss(model, x: Float[Array, "n"]) -> Float[Array, ""]:
    return model(x)
"""


def test_a_checker_is_chosen_from_what_is_installed(monkeypatch):
    present = {"beartype": "0.22.1", "typeguard": "2.13.3"}

    def version(name):
        if name not in present:
            raise importlib.metadata.PackageNotFoundError(name)
        return present[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert choose_checker("auto") == "beartype"
    assert choose_checker("typeguard") == "typeguard"
    assert choose_checker("off") is None
    del present["beartype"]
    assert choose_checker("auto") == "typeguard"
    with pytest.raises(UsageError, match=r"with beartype.*Install it"):
        choose_checker("beartype")
    present["typeguard"] = "4.6.0"  # which cannot read shapes
    assert choose_checker("auto") is None
    with pytest.raises(UsageError, match=r"typeguard<3"):
        choose_checker("typeguard")


def test_a_checker_that_does_not_exist_is_an_error_that_lists_those_that_do():
    with pytest.raises(UsageError, match=r"'auto', 'beartype', 'typeguard', 'off'.*'mypy'"):
        choose_checker("mypy")


@pytest.mark.parametrize("checker", INSTALLED)
def test_a_value_that_does_not_fit_its_annotation_is_found_with_its_path(write_module, checker):
    write_module("annotated", SOURCE)
    finders = list(sys.meta_path)
    with check_annotations(["annotated"], checker):
        result = check("annotated:Model", init="3, 3, key=key", calls=["f32[3]", "i32[3]"])
        method = check("annotated:Scale.wrong", calls=["Scale(f32[3]), f32[3]"])
        function = check("annotated:loss", calls=["Scale(f32[3]), f32[3]"])
    assert sys.meta_path == finders
    assert result.calls[0].ok
    for found, path, modules, word in [
        (result.calls[1], ".scales[0]", ("Model", "Scale"), "'x'"),
        (method.calls[0], "self", ("Scale",), "return value"),
        (function.calls[0], None, (), "return value"),
    ]:
        assert found.failure is not None
        assert found.failure.error == "TypeCheckError"
        assert (found.failure.path, found.failure.modules) == (path, modules)
        assert word in found.failure.message


def test_annotations_are_not_checked_without_a_checker(write_module):
    write_module("annotated", SOURCE)
    with check_annotations(["annotated"], None):
        assert check("annotated:Model", init="3, 3, key=key", calls=["i32[3]"]).ok
