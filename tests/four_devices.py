"""Checks that need four devices, which XLA makes out of one CPU when it is asked to before it starts.

So a file of such checks, run as a program, runs them and prints what went wrong with each of them; and under pytest, it
starts itself as a program.
"""

import json
import os
import pathlib
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

import pytest

_F = TypeVar("_F", bound=Callable[[], object])


class Checks:
    """The checks of one file, by name."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._functions: dict[str, Callable[[], object]] = {}
        self._outcomes: dict[str, str | None] = {}

    def __call__(self, function: _F) -> _F:
        """Mark a function as a check."""
        self._functions[function.__name__] = function
        return function

    @property
    def names(self) -> list[str]:
        return list(self._functions)

    def assert_passed(self, name: str) -> None:
        """Assert that this check passed in a program with four devices, which runs once for all checks."""
        if not self._outcomes:
            flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
            root = pathlib.Path(__file__).parents[1]
            environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)}
            command = [sys.executable, "-W", "error", self._file]
            program = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert program.returncode == 0, program.stderr
            self._outcomes.update(json.loads(program.stdout))
        assert self._outcomes[name] is None, self._outcomes[name]

    def main(self) -> None:
        """Run all checks, and print what went wrong."""
        outcomes: dict[str, str | None] = {}
        for name, function in self._functions.items():
            try:
                function()
                outcomes[name] = None
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 # every one is reported
                outcomes[name] = traceback.format_exc()
        sys.stdout.write(json.dumps(outcomes))
