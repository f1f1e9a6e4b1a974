"""What a file says about itself: a list, after its records, of what each of them is, with a checksum.

A program that reads the records one after the other never gets there. The list is text, in JSON, so that `tail` shows
it. Twenty-four bytes at the very end of the file say how long it is, and that it is one.
"""

import dataclasses
import io
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO, Final, cast

from .streams import chunks, read_exactly

VERSION: Final = 1

_MAGIC: Final = b"\x93EQXMANIFEST"
_END: Final = struct.Struct("<QI12s")  # the manifest's size and checksum, and what it is


@dataclasses.dataclass(frozen=True)
class Record:
    """What the manifest says about one record, the bytes that were written for one leaf.

    `shape` and `dtype` are those of the leaf, or `None` if the bytes are not in NumPy's format.
    """

    path: str
    kind: str
    shape: tuple[int, ...] | None
    dtype: str | None
    size: int
    crc32: int


def checksum(file: BinaryIO, size: int) -> int:
    """Compute the checksum (CRC-32) of the next bytes of a file."""
    result = 0
    for chunk in chunks(file, size):
        result = zlib.crc32(chunk, result)
    return result


def write_manifest(file: BinaryIO, records: Sequence[Record]) -> None:
    """Write a manifest after the records."""
    # A line for each record, for people to read.
    lines = ",\n".join(json.dumps(dataclasses.asdict(record)) for record in records)
    text = f'\n{{"format": "equinox", "version": {VERSION}, "records": [\n{lines}\n]}}\n'.encode()
    file.write(text + _END.pack(len(text), zlib.crc32(text), _MAGIC))


def read_manifest(file: BinaryIO) -> tuple[Record, ...] | None:
    """Read the manifest of a file, and go back to the start of the file.

    **Returns**

    What it says about each record, in the order of the file; `None` if the file does not end in a manifest.

    **Raises**

    - `RuntimeError`: if it is damaged, or was written by a later version of this library.
    """
    before_end = file.seek(0, io.SEEK_END) - _END.size
    if before_end < 0:
        file.seek(0)
        return None
    file.seek(before_end)
    size, crc32, magic = cast(tuple[int, int, bytes], _END.unpack(read_exactly(file, _END.size)))
    if magic != _MAGIC:
        file.seek(0)
        return None
    if size > before_end:
        raise RuntimeError(f"the file is damaged: its manifest should have {size} bytes, and is after {before_end}.")
    file.seek(before_end - size)
    text = read_exactly(file, size)
    file.seek(0)
    if zlib.crc32(text) != crc32:
        raise RuntimeError("the file is damaged: its manifest is not what was written.")
    records = _parse(text)
    described = sum(record.size for record in records)
    if described != before_end - size:
        raise RuntimeError(f"the file is damaged: its records have {before_end - size} bytes, and had {described}.")
    return records


def _parse(text: bytes) -> tuple[Record, ...]:
    try:
        content: dict[str, Any] = json.loads(text)
        version = content["version"]
        if version == VERSION:
            return tuple(_parse_record(entry) for entry in content["records"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RuntimeError(f"the file is damaged: its manifest cannot be understood: {error!r}.") from error
    raise RuntimeError(
        f"the file has a manifest of version {version!r}, and this version of the library reads version {VERSION}. "
        "Update the library."
    )


def _parse_record(entry: dict[str, Any]) -> Record:
    entry["shape"] = None if entry["shape"] is None else tuple(entry["shape"])
    record = Record(**entry)
    if type(record.path) is not str or type(record.size) is not int or record.size <= 0:
        raise ValueError(f"no record is like this: {entry}")
    return record
