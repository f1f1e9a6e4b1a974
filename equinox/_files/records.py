"""One array as one record of a file: NumPy's `.npy` format, of which a file may hold several one after the other.

Never with pickle: an array of Python objects is neither written nor read.
"""

import ast
from typing import Any, Final, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.lib import format as npy

from .streams import Readable, Writable, chunks, read_exactly

_Array: TypeAlias = np.ndarray[Any, Any]

# The longest header that NumPy itself reads. Every header that is written here has far less.
_LONGEST_HEADER: Final = 10_000
_PREFIX: Final = b"\x93NUMPY"


class Header(NamedTuple):
    """What the header of a record says about the array in it."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran_order: bool


def is_extension_dtype(dtype: np.dtype[Any]) -> bool:
    """Say whether a dtype is one that a library has added to NumPy, such as `bfloat16` or `float8_e5m2`."""
    return dtype.isbuiltin == 2


def is_plain_void(dtype: np.dtype[Any]) -> bool:
    """Say whether a dtype is bytes without a meaning: how records have the dtypes that libraries have added."""
    return dtype.kind == "V" and dtype.names is None and not is_extension_dtype(dtype)


class _OnlyWritable:
    """A file that nothing but its method `write` is known of.

    NumPy goes around the methods of files of the system, which fails for those without positions, such as pipes.
    """

    def __init__(self, file: Writable) -> None:
        self.write = file.write


def write_record(file: Writable, array: _Array) -> None:
    """Write an array as NumPy does, at the current position of a file.

    **Raises**

    - `TypeError`: if there are Python objects in the array.
    """
    if array.dtype.hasobject or array.dtype.char == "T":
        raise TypeError(
            f"an array of dtype `{array.dtype}` holds Python objects, which only pickle could write, and pickle is "
            "never used: loading such a file could run any program. Keep such values out of the tree, in a static "
            "field, or pass a `filter_spec` that writes them in another way."
        )
    if is_extension_dtype(array.dtype) and array.dtype.kind != "V":
        # NumPy would write a name that it cannot read.
        array = array.view(f"V{array.dtype.itemsize}")
    np.save(_OnlyWritable(file), array, allow_pickle=False)


def read_record(file: Readable) -> _Array:
    """Read the record at the current position of a file.

    **Raises**

    - `EOFError`: if the file ends before the record does.
    - `ValueError`: if there is no record, or one that only pickle could read.
    """
    header = read_header(file)
    shape = header.shape[::-1] if header.is_fortran_order else header.shape
    array = read_array(file, shape, header.dtype)
    return array.T if header.is_fortran_order else array


def read_array(file: Readable, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Array:
    """Read an array, in C order, from the bytes at the current position of a file, or raise `EOFError`."""
    array = np.empty(shape, dtype)
    if array.nbytes:
        memory = array.reshape(-1).view(np.uint8).data
        position = 0
        for chunk in chunks(file, array.nbytes):
            memory[position : position + len(chunk)] = chunk
            position += len(chunk)
    return array


def read_header(file: Readable) -> Header:
    """Read the header of the record at the current position, up to the first byte of the array."""
    raw = read_header_bytes(file)
    text = raw[_text_start(raw[6]) :].decode("latin1" if raw[6] < 3 else "utf-8")
    try:
        entries: dict[str, Any] = ast.literal_eval(text)
        descr, is_fortran_order = entries["descr"], entries["fortran_order"]
        shape: tuple[Any, ...] = entries["shape"]
        # What NumPy writes for float8_e5m2, and cannot read: it stands for the same bytes.
        # Its own annotation forgets that most of the descriptions are strings.
        dtype = npy.descr_to_dtype(cast(Any, "|V1" if descr in ("<f1", "|f1") else descr))
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise ValueError(f"the header of a record cannot be understood: {text.strip()!r}.") from error
    if type(shape) is not tuple or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"the header of a record has no shape in it: {text.strip()!r}.")
    if dtype.hasobject:
        raise ValueError(
            "a record holds Python objects, which only pickle could read, and pickle is never used: it could run any "
            "program."
        )
    return Header(dtype, shape, bool(is_fortran_order))


def read_header_bytes(file: Readable) -> bytes:
    """Read the header of the record at the current position as it is, from its first byte to its line feed."""
    start = read_exactly(file, 8)
    if not start.startswith(_PREFIX) or start[6] not in (1, 2, 3):
        raise ValueError(f"no record starts here: found the bytes {start!r}, expected {_PREFIX!r} and a version.")
    length = read_exactly(file, _text_start(start[6]) - 8)
    size = int.from_bytes(length, "little")
    if size > _LONGEST_HEADER:
        raise ValueError(f"the header of a record is {size} bytes long, and cannot be more than {_LONGEST_HEADER}.")
    return start + length + read_exactly(file, size)


def _text_start(version: int) -> int:
    """Return where the text of a header starts: its length takes two bytes, or four in the later versions."""
    return 10 if version == 1 else 12
