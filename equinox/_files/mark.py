"""A mark in the first bytes of a file, which says that the file has a manifest.

Without it, a file of which exactly the manifest was cut off would look like one that never had any, as other programs
write them. The header of a record ends in spaces that mean nothing; in a file with a manifest they are tabs. So every
record stays where it is, and every program that reads NumPy's format still reads it.
"""

import io
from typing import BinaryIO

from .records import read_header_bytes


def mark_record(file: BinaryIO, start: int) -> None:
    """Mark the record that starts at a position, if one does, which leaves the file anywhere."""
    file.seek(start)
    try:
        header = read_header_bytes(file)
    except (EOFError, ValueError):
        return
    text = header.rstrip(b" \n")
    file.seek(start + len(text))
    file.write(b"\t" * (len(header) - len(text) - 1))


def is_marked(file: BinaryIO) -> bool:
    """Say whether a marked record starts at the current position of a file, which stays there."""
    start = file.tell()
    try:
        header = read_header_bytes(file)
    except (EOFError, ValueError):
        return False
    finally:
        file.seek(start, io.SEEK_SET)
    return b"\t" in header
