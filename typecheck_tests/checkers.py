"""The type checkers: how each is started, once for all files, and what it says."""

import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = ROOT / "typecheck_tests"

#: Where the programs of this environment are.
PROGRAMS = Path(sys.executable).parent

#: Stands for an interpreter.
PYTHON = "<python>"

#: In seconds. There are overloads with which a checker never comes to an end.
TIME_LIMIT = 300


@dataclasses.dataclass(frozen=True, order=True)
class Diagnostic:
    """An error that a checker reports, or an answer to `reveal_type`."""

    #: Relative to the folder in which the checker was started.
    path: str
    line: int
    code: str
    message: str
    is_error: bool = True


@dataclasses.dataclass(frozen=True)
class Checker:
    """A type checker, run in its strict mode and with no other configuration."""

    name: str
    #: Whether the expected errors carry the codes of this checker. Otherwise any error will do where one is expected.
    has_codes: bool
    #: In place of `PYTHON` comes the interpreter that sees the packages, and at the end come the files to check.
    command: tuple[str, ...]
    read: Callable[[str], Iterator[Diagnostic]]
    #: The checker of which the comments speak, if they do not mention this one: it has to report the very same errors.
    like: str | None = None

    @property
    def named(self) -> str:
        """The name under which the comments speak of this checker."""
        return self.like or self.name

    def run(self, paths: list[Path], *, folder: Path = HERE, python: str = sys.executable) -> list[Diagnostic]:
        """The errors in all the files, checked at once, as a user would who is in this folder."""
        return [each for each in self.report(paths, folder=folder, python=python) if each.is_error]

    def report(self, paths: list[Path], *, folder: Path = HERE, python: str = sys.executable) -> list[Diagnostic]:
        """The errors, and what mypy and pyright answer to `reveal_type`."""
        command = [part.replace(PYTHON, python) for part in self.command]
        output = run([*command, *map(str, paths)], folder=folder)
        if output.returncode not in (0, 1):
            raise RuntimeError(f"{self.name} failed:\n{output.stdout}{output.stderr}")
        found = sorted(
            dataclasses.replace(each, path=(folder / each.path).resolve().relative_to(folder.resolve()).as_posix())
            for each in self.read(output.stdout)
        )
        if output.returncode and not found:
            raise RuntimeError(f"{self.name} failed:\n{output.stdout}{output.stderr}")
        return found


def run(command: list[str], *, folder: Path = HERE) -> subprocess.CompletedProcess[str]:
    """Run a tool as a user of this environment would who has activated it."""
    return subprocess.run(
        command, cwd=folder, env=activated(), capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )


def activated() -> dict[str, str]:
    """The variables of a shell in which this environment is activated."""
    return {
        **os.environ,
        "PATH": str(PROGRAMS) + os.pathsep + os.environ.get("PATH", ""),
        "VIRTUAL_ENV": sys.prefix,
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }


def _read_mypy(output: str) -> Iterator[Diagnostic]:
    for line in filter(None, output.splitlines()):
        found = json.loads(line)
        is_error = found["severity"] == "error"
        yield Diagnostic(found["file"], found["line"], found["code"] or "", found["message"], is_error)


def _read_pyright(output: str) -> Iterator[Diagnostic]:
    for found in json.loads(output)["generalDiagnostics"]:
        line = found["range"]["start"]["line"] + 1
        is_error = found["severity"] == "error"
        yield Diagnostic(found["file"], line, found.get("rule", "syntax"), found["message"], is_error)


def _read_pyrefly(output: str) -> Iterator[Diagnostic]:
    for found in json.loads(output)["errors"]:
        if found["severity"] == "error":
            yield Diagnostic(found["path"], found["line"], found["name"], found["concise_description"])


def _read_ty(output: str) -> Iterator[Diagnostic]:
    for found in json.loads(output):
        # The format's words for an error. A warning is "minor".
        if found["severity"] in {"major", "critical"}:
            line = found["location"]["positions"]["begin"]["line"]
            yield Diagnostic(found["location"]["path"], line, found["check_name"], found["description"])


def _read_zuban(output: str) -> Iterator[Diagnostic]:
    for path, line, message, code in re.findall(r"^(.+?):(\d+): error: (.+?)(?:  \[(.+)\])?$", output, re.MULTILINE):
        yield Diagnostic(path, int(line), code or "syntax", message)


CHECKERS = (
    Checker(
        "mypy",
        has_codes=True,
        command=(
            *(sys.executable, "-m", "mypy", "--config-file=mypy.ini", "--output=json"),
            f"--python-executable={PYTHON}",
        ),
        read=_read_mypy,
    ),
    Checker(
        "pyright",
        has_codes=True,
        command=(sys.executable, "-m", "pyright", "--outputjson", f"--pythonpath={PYTHON}"),
        read=_read_pyright,
    ),
    Checker(
        "basedpyright",
        has_codes=True,
        command=(sys.executable, "-m", "basedpyright", "--outputjson", f"--pythonpath={PYTHON}"),
        read=_read_pyright,
        like="pyright",
    ),
    Checker(
        "pyrefly",
        has_codes=False,
        command=(
            *(str(PROGRAMS / "pyrefly"), "check", "--preset=strict", "--output-format=json"),
            f"--python-interpreter-path={PYTHON}",
        ),
        read=_read_pyrefly,
    ),
    Checker(
        "ty",
        has_codes=False,
        command=(str(PROGRAMS / "ty"), "check", "--output-format=gitlab", f"--python={PYTHON}"),
        read=_read_ty,
    ),
    Checker(
        "zuban",
        has_codes=False,
        command=(
            *(str(PROGRAMS / "zuban"), "mypy", "--config-file=mypy.ini", "--show-error-codes"),
            f"--python-executable={PYTHON}",
        ),
        read=_read_zuban,
    ),
)


@functools.cache
def files(*folders: str) -> list[Path]:
    """All the files to check in these folders."""
    return sorted(path for folder in folders for path in (HERE / folder).glob("*.py"))
