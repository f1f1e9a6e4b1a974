"""A project of its own finds the types of the installed library, with no configuration, in every checker."""

import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from typecheck_tests.checkers import CHECKERS, HERE, ROOT, Checker
from typecheck_tests.expectations import differences, read_markers

PROGRAMS = ("quick_example.py", "decorators.py", "train_with_optax.py")


def install(environment: Path, *what: str) -> None:
    """Install the library, with the tools that are there: that needs no network."""
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    # What the library requires, and what builds it.
    for package in Path(site.getsitepackages()[0]).iterdir():
        if "equinox" not in package.name and package.suffix != ".pth":
            (packages / package.name).symlink_to(package)
    command = [sys.executable, "-m", "pip", f"--python={environment / 'bin' / 'python'}", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    result = subprocess.run([*command, *options, *what], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module", params=["from a wheel", "editable"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with programs, and an interpreter for which the library is installed."""
    folder = tmp_path_factory.mktemp("project")
    install(folder / "environment", *(["--editable", str(ROOT)] if request.param == "editable" else [str(ROOT)]))
    # They ask mypy and pyright to be strict.
    for name in ("mypy.ini", "pyrightconfig.json"):
        shutil.copy(HERE / name, folder)
    for name in PROGRAMS:
        shutil.copy(HERE / "pass" / name, folder)
    return folder, str(folder / "environment" / "bin" / "python")


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.name)
def test_a_program_elsewhere_has_the_same_types(checker: Checker, project: tuple[Path, str]) -> None:
    folder, python = project
    paths = [folder / name for name in PROGRAMS]
    expected = {path.name: read_markers(path.name, path.read_text(encoding="utf-8")) for path in paths}
    found = differences(checker, expected, checker.run(paths, folder=folder, python=python))
    if found:
        pytest.fail("\n".join(found), pytrace=False)
