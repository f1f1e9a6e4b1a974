"""The header of a safetensors file: which arrays are in it, and where.

The format is eight bytes for the size of the header, the header in JSON, and then the bytes of the arrays:
https://huggingface.co/docs/safetensors. A file comes from anywhere, so everything that its header says is checked
before any of it is believed, and before an array is made.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final, NamedTuple, cast

from typing_extensions import TypeIs

from .safetensors_dtypes import DTYPES
from .streams import read_exactly

_METADATA: Final = "__metadata__"
_LARGEST_HEADER: Final = 100_000_000
_MOST_DIMENSIONS: Final = 64  # that NumPy has
_SIZE: Final = struct.Struct("<Q")


class Entry(NamedTuple):
    """An array in a safetensors file: its dtype's name there, its shape, and where it is after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


class Header(NamedTuple):
    """The arrays of a safetensors file by name, what else is written about them, and where the first one starts."""

    entries: dict[str, Entry]
    metadata: dict[str, str]
    data_start: int


def write_header(file: BinaryIO, entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> None:
    """Write the header, with spaces at its end so that the arrays after it start at a multiple of eight bytes."""
    content: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    for name, (dtype, shape, start, stop) in entries.items():
        content[name] = {"dtype": dtype, "shape": shape, "data_offsets": (start, stop)}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _LARGEST_HEADER:
        raise ValueError(f"the names of the leaves take {len(text)} bytes, and the format allows {_LARGEST_HEADER}.")
    file.write(_SIZE.pack(len(text)) + text)


def read_header(file: BinaryIO, file_size: int) -> Header:
    """Read the header at the current position of a file.

    **Raises**

    - `ValueError`: if the file is not as the format wants it; the message says why.
    """
    if file_size < _SIZE.size:
        raise ValueError(f"this is no safetensors file: it has {file_size} bytes.")
    (size,) = cast(tuple[int], _SIZE.unpack(read_exactly(file, _SIZE.size)))
    data_start = _SIZE.size + size
    if size > _LARGEST_HEADER:
        raise ValueError(f"the header should have {size} bytes, and the format allows {_LARGEST_HEADER}.")
    if data_start > file_size:
        raise ValueError(f"the header should have {size} bytes, and the whole file has {file_size}.")
    content = _parse(read_exactly(file, size))
    metadata = content.pop(_METADATA, {})
    if not _is_object(metadata) or any(type(text) is not str for text in metadata.values()):
        raise ValueError(f"`{_METADATA}` in the header is not a dictionary of texts.")
    entries = {name: _parse_entry(name, entry) for name, entry in content.items()}
    _check_places(entries, file_size - data_start)
    return Header(entries, metadata, data_start)


def _parse(text: bytes) -> dict[str, Any]:
    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise ValueError(f"the name {name!r} is there twice")
            found[name] = value
        return found

    if not text.startswith(b"{"):
        raise ValueError(f"the header starts with {text[:1]!r}, and not with a brace.")
    try:
        content: dict[str, Any] = json.loads(text.decode(), object_pairs_hook=without_duplicates)
        return content
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header cannot be understood: {error}.") from error


def _parse_entry(name: str, entry: Any) -> Entry:
    if not _is_object(entry) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the header says of {name!r} something else than `dtype`, `shape` and `data_offsets`.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not _are_sizes(shape):
        raise ValueError(f"the header gives {name!r} the shape {shape!r}.")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"the header says that {name!r} is at {offsets!r}, which is not two positions.")
    if type(dtype) is not str or dtype not in DTYPES:
        raise ValueError(f"the header gives {name!r} the dtype {dtype!r}. Known are {', '.join(DTYPES)}.")
    size = math.prod(shape) * DTYPES[dtype].itemsize
    start, stop = offsets
    if stop - start != size:
        raise ValueError(
            f"the header gives {name!r} the bytes from {start} to {stop}, and {dtype} of shape {tuple(shape)} takes "
            f"{size}."
        )
    return Entry(dtype, tuple(shape), start, stop)


def _is_object(value: Any) -> TypeIs[dict[str, Any]]:
    return type(value) is dict


def _are_sizes(values: Any) -> TypeIs[list[int]]:
    if type(values) is not list or len(cast(Sequence[Any], values)) > _MOST_DIMENSIONS:
        return False
    return all(type(value) is int and 0 <= value < 2**63 for value in cast(Sequence[Any], values))


def _check_places(entries: Mapping[str, Entry], size: int) -> None:
    """Check that the arrays lie one after the other, from the first byte to the last."""
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.stop > size:
            raise ValueError(f"{name!r} should go to byte {entry.stop}, and after the header are {size}.")
        if entry.start != position:
            what = "overlaps the array before it" if entry.start < position else "leaves a gap before it"
            raise ValueError(f"{name!r} {what}: it starts at byte {entry.start}, and that one ends at {position}.")
        position = entry.stop
    if position != size:
        raise ValueError(f"after the header are {size} bytes, and the arrays take {position}.")
