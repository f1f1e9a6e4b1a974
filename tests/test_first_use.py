import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "lazy_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from equinox._first_use import load_on_first_use\n"
        "__getattr__, __dir__ = load_on_first_use(__name__, {'name': '.part', 'part': '.', 'broken': '.part'})\n"
    )
    (folder / "part.py").write_text("name = object()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("lazy_package")
    del sys.modules["lazy_package"]
    sys.modules.pop("lazy_package.part", None)


def test_a_part_is_loaded_when_it_is_first_asked_for(package: ModuleType) -> None:
    assert "lazy_package.part" not in sys.modules
    assert package.name is package.part.name
    assert package.part is sys.modules["lazy_package.part"]
    assert vars(package)["name"] is package.part.name


def test_names_are_listed_before_they_are_loaded(package: ModuleType) -> None:
    assert {"name", "part", "__name__"} <= set(dir(package))
    assert "lazy_package.part" not in sys.modules


def test_a_misspelt_name_is_an_ordinary_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="module 'lazy_package' has no attribute 'nmae'"):
        _ = package.nmae
    with pytest.raises(ImportError, match="cannot import name 'nmae'"):
        exec("from lazy_package import nmae", {})


def test_a_name_that_its_module_lacks_is_an_error_of_that_module(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="broken"):
        _ = package.broken
