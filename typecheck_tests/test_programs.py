"""The programs of `pass` run, and those of `reveal` can at least be imported: what is checked is what works."""

import importlib.util
import sys
from pathlib import Path

import pytest

from typecheck_tests.checkers import HERE, files


@pytest.mark.parametrize("path", files("pass", "reveal"), ids=lambda path: path.relative_to(HERE).as_posix())
def test_program_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    # Classes look up their module by its name.
    monkeypatch.setitem(sys.modules, name, program)
    spec.loader.exec_module(program)
