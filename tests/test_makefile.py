"""The Makefile makes the environments it needs, and says what is missing where it cannot.

The interpreters here are shell scripts: nothing is installed, and a log shows what would have been run.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ["awk", "basename", "cp", "find", "grep", "make", "mkdir", "paste", "rm", "sed", "sh", "touch"]

pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="make or the tools it calls are missing")

# Answers what it is asked about itself. Of what it is told to do, it does nothing but make copies of itself.
PYTHON = """\
#!/bin/sh
case "$*" in
    *sys.version_info*) exit {too_old:d} ;;
    *ensurepip*) exit {incomplete:d} ;;
    *tomllib*) exec "{real}" "$@" ;;
    "-m pip --version") exit {without_pip:d} ;;
    *--version) exit 0 ;;
esac
echo "$(basename "$0") $*" >> "$LOG"
case "$*" in
    "-m venv --clear "*) rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip install "*) exit {offline:d} ;;
esac
"""
FLAWS = ["too_old", "incomplete", "without_pip", "offline"]


class Checkout:
    """A folder with the Makefile, and a PATH with the interpreters that a test puts there and no others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "path"
        self.log = folder / "log"
        self.path.mkdir()
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        for name in TOOLS:
            (self.path / name).symlink_to(str(shutil.which(name)))

    def add_python(self, file: str, **flaws: bool) -> None:
        """Add an interpreter that may be `too_old`, `incomplete`, `without_pip` or `offline`."""
        text = PYTHON.format_map({"real": sys.executable, **dict.fromkeys(FLAWS, False), **flaws})
        python = self.folder / file
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(text)
        python.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        environment = {"PATH": str(self.path), "LOG": str(self.log)}
        return subprocess.run(
            ["make", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def log_of(self, *arguments: str) -> list[str]:
        """What a command that works told the interpreters to do."""
        result = self.make(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return self.log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


DEMO = "python examples/train_digits.py"
INSTALL = "python -m pip install -qq --disable-pip-version-check -e .[examples]"


def test_make_alone_lists_every_command(checkout: Checkout) -> None:
    result = checkout.make()
    listed = re.findall(r"^make (\S+) +\S.*$", result.stdout, re.MULTILINE)
    commands = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == commands
    assert {"demo", "test", "lint", "types", "bench", "format", "clean", "help"} <= set(listed)


def test_the_first_demo_makes_an_environment_with_what_it_needs_and_the_second_just_runs(checkout: Checkout) -> None:
    checkout.add_python("path/python3.11")
    assert checkout.log_of("demo") == ["python3.11 -m venv --clear .venv", INSTALL, DEMO]
    assert checkout.log_of("demo") == [DEMO]


def test_the_newest_python_that_can_make_environments_is_taken(checkout: Checkout) -> None:
    checkout.add_python("path/python3.14", incomplete=True)
    checkout.add_python("path/python3.12")
    checkout.add_python("path/python3.11")
    checkout.add_python("path/python3", too_old=True)
    assert checkout.log_of("demo")[0] == "python3.12 -m venv --clear .venv"


def test_a_python_that_is_named_gets_an_environment_of_its_own(checkout: Checkout) -> None:
    checkout.add_python("path/python3.14")
    checkout.add_python("elsewhere/python3.12")
    log = checkout.log_of("demo", f"PYTHON={checkout.folder}/elsewhere/python3.12")
    assert log[0] == "python3.12 -m venv --clear .venv-python3.12"


def test_without_a_python_that_is_new_enough_the_message_says_which_is_needed(checkout: Checkout) -> None:
    checkout.add_python("path/python3", too_old=True)
    result = checkout.make("demo")
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "PYTHON=/path/to/python" in result.stderr
    assert not (checkout.folder / ".venv").exists()


def test_where_python_cannot_make_environments_the_message_says_what_to_install(checkout: Checkout) -> None:
    checkout.add_python("path/python3", incomplete=True)
    result = checkout.make("demo")
    assert result.returncode != 0
    assert "python3 came without the modules venv and ensurepip" in result.stderr
    assert "apt install python3-venv" in result.stderr


def test_an_installation_that_fails_is_reported_and_tried_again(checkout: Checkout) -> None:
    checkout.add_python("path/python3", offline=True)
    result = checkout.make("demo")
    assert result.returncode != 0
    assert "It needs the network" in result.stderr
    checkout.add_python(".venv/bin/python")
    assert checkout.log_of("demo") == [INSTALL, DEMO]


def test_an_environment_whose_interpreter_is_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.add_python("path/python3")
    checkout.log_of("demo")
    (checkout.folder / ".venv/bin/python").unlink()
    assert checkout.log_of("demo") == ["python3 -m venv --clear .venv", INSTALL, DEMO]


@pytest.mark.parametrize("flaw", ["too_old", "without_pip"])
def test_an_environment_that_is_unfinished_or_too_old_is_made_anew(checkout: Checkout, flaw: str) -> None:
    checkout.add_python("path/python3")
    checkout.add_python(".venv/bin/python", **{flaw: True})
    assert checkout.log_of("demo") == ["python3 -m venv --clear .venv", INSTALL, DEMO]


def test_an_environment_that_works_already_is_used(checkout: Checkout) -> None:
    checkout.add_python(".venv/bin/python")
    assert checkout.log_of("demo") == [INSTALL, DEMO]


def test_a_newer_pyproject_toml_is_installed_into_the_environment_there_is(checkout: Checkout) -> None:
    checkout.add_python(".venv/bin/python")
    checkout.log_of("demo")
    stamp = checkout.folder / ".venv/.examples"
    later = stamp.stat().st_mtime + 10
    os.utime(checkout.folder / "pyproject.toml", (later, later))
    assert checkout.log_of("demo") == [INSTALL, DEMO]


def test_what_developers_need_covers_what_the_demo_needs(checkout: Checkout) -> None:
    checkout.add_python(".venv/bin/python")
    assert checkout.log_of("pytest")[0] == INSTALL.replace("examples", "dev")
    assert checkout.log_of("demo") == [DEMO]


def test_the_oldest_versions_are_tested_in_an_environment_of_the_oldest_python(checkout: Checkout) -> None:
    checkout.add_python("path/python3.14")
    checkout.add_python("path/python3.11")
    log = checkout.log_of("test-minimum")
    constraints = ".venv-minimum/constraints.txt"
    assert log[0] == "python3.11 -m venv --clear .venv-minimum"
    assert log[1] == INSTALL.replace("examples", "test") + f" --constraint {constraints}"
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    exactly = [requirement.replace(">=", "==") for requirement in requirements]
    assert (checkout.folder / constraints).read_text().split() == exactly


def test_pytorch_is_installed_into_an_environment_of_its_own(checkout: Checkout) -> None:
    checkout.add_python("path/python3.11")
    log = checkout.log_of("test-torch")
    assert "python -m venv --clear .venv-torch" in log
    (install,) = (line for line in log if "install" in line and "torch" in line)
    assert install.startswith(INSTALL.replace("examples", "test") + " torch")
    assert log[-1].startswith("python -m pytest ")
    assert log[-1].endswith(" tests/nn -k pytorch")
    assert not any("install" in line for line in checkout.log_of("test-torch"))


def test_libraries_that_require_equinox_are_installed_together_with_this_one(checkout: Checkout) -> None:
    checkout.add_python(".venv/bin/python")
    log = checkout.log_of("ecosystem")
    (install,) = (line for line in log if "install" in line and "flowjax" in line)
    assert install.startswith(INSTALL.replace("examples", "test,ecosystem") + " ")
    assert log[-2] == "python -m pip check --quiet"
    assert log[-1].startswith("python -m pytest ")
    assert log[-1].endswith(" tests/ecosystem")
