"""Modules that exist for one test, to be imported by their names."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Write a module, given its name and source, that can be imported from the current directory."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def write(name: str, source: str) -> None:
        assert name not in before
        names.append(name)
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")

    yield write
    for name in names:
        sys.modules.pop(name, None)
