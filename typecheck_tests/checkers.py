"""The type checkers: how each is started, once for all files, and what it says."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = ROOT / "typecheck_tests"

#: In seconds. There are overloads with which a checker never comes to an end.
TIME_LIMIT = 300


@dataclasses.dataclass(frozen=True, order=True)
class Diagnostic:
    """One error that a checker reports."""

    #: Relative to the folder of these tests.
    path: str
    line: int
    code: str
    message: str


@dataclasses.dataclass(frozen=True)
class Checker:
    """A type checker, run in its strict mode and with no other configuration."""

    name: str
    #: Whether the expected errors carry the codes of this checker. Otherwise any error will do where one is expected.
    has_codes: bool
    #: The files to check follow.
    command: tuple[str, ...]
    read: Callable[[str], Iterator[Diagnostic]]

    def run(self, paths: list[Path]) -> list[Diagnostic]:
        """Check all the files at once."""
        output = run([*self.command, *map(str, paths)])
        found = sorted(self.read(output.stdout))
        if output.returncode not in (0, 1) or (output.returncode and not found):
            raise RuntimeError(f"{self.name} failed:\n{output.stdout}{output.stderr}")
        return found


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool as a user of this environment would who has activated it."""
    folder = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": folder + os.pathsep + os.environ.get("PATH", ""),
        "VIRTUAL_ENV": sys.prefix,
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    return subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )


def _relative(path: str) -> str:
    return (HERE / path).resolve().relative_to(HERE).as_posix()


def _read_mypy(output: str) -> Iterator[Diagnostic]:
    for line in output.splitlines():
        found = json.loads(line)
        if found["severity"] == "error":
            yield Diagnostic(_relative(found["file"]), found["line"], found["code"], found["message"])


def _read_pyright(output: str) -> Iterator[Diagnostic]:
    for found in json.loads(output)["generalDiagnostics"]:
        if found["severity"] == "error":
            line = found["range"]["start"]["line"] + 1
            yield Diagnostic(_relative(found["file"]), line, found.get("rule", "syntax"), found["message"])


CHECKERS = (
    Checker(
        "mypy",
        has_codes=True,
        command=(
            *(sys.executable, "-m", "mypy", "--config-file=mypy.ini", "--output=json"),
            f"--cache-dir={ROOT / '.mypy_cache' / 'typecheck_tests'}",
        ),
        read=_read_mypy,
    ),
    Checker(
        "pyright",
        has_codes=True,
        command=(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable),
        read=_read_pyright,
    ),
)


@functools.cache
def files(*folders: str) -> list[Path]:
    """All the files to check in these folders."""
    return sorted(path for folder in folders for path in (HERE / folder).glob("*.py"))
