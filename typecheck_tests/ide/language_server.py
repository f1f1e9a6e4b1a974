"""A language server without an editor: asked, over its standard input, what an editor would ask it."""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any, Self, TypeAlias

#: What JSON decodes to.
Json: TypeAlias = Any

#: In seconds, for the answer to one request. The first takes longest: JAX is read before it.
TIME_LIMIT = 60

#: Plain text is easier to compare than Markdown.
_CAPABILITIES = {
    "workspace": {"configuration": True},
    "textDocument": {
        "hover": {"contentFormat": ["plaintext"]},
        "signatureHelp": {"signatureInformation": {"documentationFormat": ["plaintext"]}},
    },
}


class LanguageServer:
    """A running server, which speaks the Language Server Protocol, and the one document that is open in it."""

    def __init__(self, requests: IO[bytes], document: Path, settings: Json) -> None:
        self._requests = requests
        self._document = document.as_uri()
        self._settings = settings
        self._numbers = itertools.count(1)
        #: What the server has sent, and finally None.
        self._received: queue.Queue[Json] = queue.Queue()

    @classmethod
    @contextlib.contextmanager
    def start(cls, command: list[str], environment: dict[str, str], document: Path, settings: Json) -> Generator[Self]:
        """Start a server, and end it in any case.

        **Arguments**

        - `command`: what starts it.
        - `environment`: the variables of its environment.
        - `document`: the file that is open. What an editor shows of it need not be what is on the disk.
        - `settings`: those of the editor that the server may ask for, by the names of their sections.
        """
        with subprocess.Popen(
            command,
            cwd=document.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            server = cls(process.stdin, document, settings)
            listener = threading.Thread(target=server._listen, args=[process.stdout])
            listener.start()
            try:
                server._open(document.parent)
                yield server
                server._request("shutdown", None)
            finally:
                # The command may have started another process, which would outlive it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                listener.join()

    def write(self, text: str) -> None:
        """Replace what the editor shows of the document."""
        document = {"uri": self._document, "version": next(self._numbers)}
        self._notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def ask(self, method: str, line: int, column: int) -> Json:
        """Ask about a place in the document, whose line and column are counted from 0."""
        place = {"textDocument": {"uri": self._document}, "position": {"line": line, "character": column}}
        return self._request(f"textDocument/{method}", place)

    def _open(self, folder: Path) -> None:
        workspace = {"uri": folder.as_uri(), "name": folder.name}
        parameters = {"processId": os.getpid(), "rootUri": workspace["uri"], "workspaceFolders": [workspace]}
        self._request("initialize", {**parameters, "capabilities": _CAPABILITIES})
        self._notify("initialized", {})
        document = {"uri": self._document, "languageId": "python", "version": next(self._numbers), "text": ""}
        self._notify("textDocument/didOpen", {"textDocument": document})

    def _request(self, method: str, parameters: Json) -> Json:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        end = time.monotonic() + TIME_LIMIT
        while True:
            try:
                message = self._received.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"The server did not answer {method} within {TIME_LIMIT} seconds.") from None
            if message is None:
                raise EOFError(f"The server ended before it answered {method}.")
            if "method" in message:
                self._reply(message)
            elif message["id"] == number:
                if "error" in message:
                    raise RuntimeError(f"The server answered {method} with an error: {message['error']['message']}")
                return message["result"]

    def _reply(self, message: Json) -> None:
        """Tell the server which settings the editor has. It has no use for anything else that servers say or ask."""
        if "id" in message:
            sections = [item["section"] for item in message["params"].get("items", ())]
            result = [self._settings.get(section) for section in sections] if sections else None
            self._send({"id": message["id"], "result": result})

    def _notify(self, method: str, parameters: Json) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: Json) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._requests.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self._requests.flush()

    def _listen(self, output: IO[bytes]) -> None:
        for message in _messages(output):
            self._received.put(message)
        self._received.put(None)


def _messages(output: IO[bytes]) -> Iterator[Json]:
    """The messages that arrive, until there are no more."""
    size = 0
    for line in output:
        name, _, value = line.strip().partition(b":")
        if name == b"Content-Length":
            size = int(value)
        elif not name:  # the end of the header
            yield json.loads(output.read(size))
