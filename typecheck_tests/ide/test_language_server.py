"""The client of the language servers notices when one of them does not do what it should."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from typecheck_tests.ide import language_server
from typecheck_tests.ide.language_server import LanguageServer


def start(folder: Path, server: str) -> None:
    with LanguageServer.start([sys.executable, "-c", server], dict(os.environ), folder / "document.py", {}):
        pass


def test_a_server_that_does_not_answer_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    open_process = subprocess.Popen

    def note(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        started.append(open_process(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", note)
    monkeypatch.setattr(language_server, "TIME_LIMIT", 0.1)
    with pytest.raises(TimeoutError, match="did not answer initialize"):
        start(tmp_path, "import time; time.sleep(600)")
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_the_end_of_a_server_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(EOFError, match="before it answered initialize"):
        start(tmp_path, "import sys; sys.stdin.buffer.readline()")


def test_an_error_that_a_server_answers_is_raised(tmp_path: Path) -> None:
    error = '{"id": 1, "error": {"code": -32601, "message": "no such method"}}'
    answer = f"Content-Length: {len(error)}\r\n\r\n{error}"
    with pytest.raises(RuntimeError, match="initialize with an error: no such method"):
        start(tmp_path, f"import sys; sys.stdout.write({answer!r}); sys.stdout.flush(); sys.stdin.read()")
