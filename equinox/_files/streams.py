"""What a file must be able to do so that arrays are written to it or read from it, and reading from it in pieces.

`open`, `io.BytesIO`, `gzip.open` and the like all give such files.
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol

CHUNK_SIZE: Final = 1 << 20


class Writable(Protocol):
    """A binary file that is open for writing."""

    def write(self, data: Any, /) -> Any: ...


class Readable(Protocol):
    """A binary file that is open for reading."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = ..., /) -> Any: ...


def chunks(file: Readable, size: int) -> Iterator[bytes]:
    """Read `size` bytes, in pieces, so that no copy of the whole is in memory.

    **Raises**

    - `EOFError`: if the file ends before.
    """
    remaining = size
    while remaining > 0:
        chunk = file.read(min(remaining, CHUNK_SIZE))
        if not chunk:
            raise EOFError(f"the file ends {remaining} bytes too early: {size} more were expected.")
        remaining -= len(chunk)
        yield chunk


def read_exactly(file: Readable, size: int) -> bytes:
    """Read `size` bytes, or raise `EOFError`."""
    return b"".join(chunks(file, size))
