"""Beside each module that has a stub lies a link to it: this is how a checker finds it without any configuration."""

import ast
import os
from pathlib import Path

import pytest

from typecheck_tests.checkers import ROOT

STUBS = sorted(path.relative_to(ROOT / "stubs") for path in (ROOT / "stubs").rglob("*.pyi"))
LINKS = sorted(path.relative_to(ROOT) for path in (ROOT / "equinox").rglob("*.pyi"))


def test_there_is_a_link_for_each_stub_and_no_other() -> None:
    assert STUBS
    assert LINKS == STUBS


@pytest.mark.parametrize("stub", STUBS, ids=str)
def test_the_link_is_relative_and_leads_to_the_stub(stub: Path) -> None:
    link = ROOT / stub
    assert link.is_symlink(), f"{stub} is a copy, or git was told not to make links: set `core.symlinks` to true"
    assert link.readlink() == Path(os.path.relpath(ROOT / "stubs" / stub, link.parent))


@pytest.mark.parametrize("stub", STUBS, ids=str)
def test_the_stub_describes_a_module_and_is_python(stub: Path) -> None:
    assert (ROOT / stub).with_suffix(".py").exists()
    assert ast.parse((ROOT / stub).read_text(encoding="utf-8")).body
