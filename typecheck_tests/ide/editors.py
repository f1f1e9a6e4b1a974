"""What editors show while one writes a program: those that ask a language server, and those that ask Jedi."""

import contextlib
import re
import sys
import textwrap
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import jedi

from typecheck_tests.checkers import activated
from typecheck_tests.ide.language_server import Json, LanguageServer

#: What starts each server.
SERVERS: Final = {
    "pyright": ("pyright-langserver", "--stdio"),
    "basedpyright": ("basedpyright-langserver", "--stdio"),
    "pyrefly": ("pyrefly", "lsp"),
    "ty": ("ty", "server"),
    "zuban": ("zuban", "server"),
}

_DOCUMENT: Final = Path(__file__).with_name("program.py")
_PROGRAM: Final = _DOCUMENT.read_text(encoding="utf-8")


class Editor(Protocol):
    """What is asked about is some code, in a function at the end of the program, and a cursor in it: `model.|`."""

    def complete(self, code: str) -> set[str]:
        """The names that are offered."""
        ...

    def signatures(self, code: str) -> list[str]:
        """The signatures of what is being called: `(x: Array, *, scale: float=1.0) -> Array`."""
        ...

    def hover(self, code: str) -> str:
        """What is said about a name, in one line."""
        ...

    def definitions(self, code: str) -> list[str]:
        """Where a name is defined: the file, and the line of code."""
        ...


class ServerEditor:
    """Visual Studio Code, Neovim, Emacs, Zed and others, each with one of the language servers."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server

    @classmethod
    @contextlib.contextmanager
    def start(cls, name: str) -> Generator[Editor]:
        """Start a server, and end it in any case."""
        program, *options = SERVERS[name]
        command = [str(Path(sys.executable).with_name(program)), *options]
        settings = {"python": {"pythonPath": sys.executable}}
        with LanguageServer.start(command, activated(), _DOCUMENT, settings) as server:
            yield cls(server)

    def complete(self, code: str) -> set[str]:
        found = self._ask("completion", code) or []
        return {item["label"] for item in (found["items"] if isinstance(found, dict) else found)}

    def signatures(self, code: str) -> list[str]:
        found = self._ask("signatureHelp", code)
        return [_tidy(signature["label"]) for signature in found["signatures"]] if found else []

    def hover(self, code: str) -> str:
        found = self._ask("hover", code)
        return _tidy(found["contents"]["value"]) if found else ""

    def definitions(self, code: str) -> list[str]:
        found = self._ask("definition", code) or []
        places = [found] if isinstance(found, dict) else found
        return [_quote(_path(place["uri"]), place["range"]["start"]["line"]) for place in places]

    def _ask(self, method: str, code: str) -> Json:
        text, line, column = _place(code)
        self._server.write(text)
        return self._server.ask(method, line, column)


class JediEditor:
    """IPython, Jupyter, Spyder and others."""

    def complete(self, code: str) -> set[str]:
        return {completion.name for completion in self._ask("complete", code)}

    def signatures(self, code: str) -> list[str]:
        found = self._ask("get_signatures", code)
        return [_tidy(signature.to_string()).removeprefix(signature.name) for signature in found]

    def hover(self, code: str) -> str:
        return _tidy(" ".join(name.docstring() for name in self._ask("help", code)))

    def definitions(self, code: str) -> list[str]:
        return [_quote(name.module_path, name.line - 1) for name in self._ask("goto", code, follow_imports=True)]

    def _ask(self, method: str, code: str, **options: bool) -> Any:
        text, line, column = _place(code)
        return getattr(jedi.Script(text, path=_DOCUMENT), method)(line + 1, column, **options)


def _place(code: str) -> tuple[str, int, int]:
    """The text of the program with some code, and where in it the cursor is: line and column, counted from 0."""
    before, _, after = textwrap.indent(code, "    ").partition("|")
    before = _PROGRAM + before
    return before + after, before.count("\n"), len(before.rpartition("\n")[2])


def _tidy(text: str) -> str:
    """Let the layout make no difference."""
    return re.sub(r"(?<=\() | (?=\))| ?(=) ?", r"\1", " ".join(text.split()))


def _path(uri: str) -> Path:
    return Path(url2pathname(urlsplit(uri).path))


def _quote(path: Path, line: int) -> str:
    return f"{path.name}: {path.read_text(encoding='utf-8').splitlines()[line].strip()}"
