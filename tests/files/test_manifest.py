import io
import json
import struct
import zlib

import pytest

from equinox._files.manifest import Record, checksum, read_manifest, write_manifest

RECORDS = (
    Record(".a['\N{GREEK SMALL LETTER PI}']", "JAX array", (2, 3), "float32", 10, 123),
    Record("", "other", None, None, 5, 2**32 - 1),
)


def file_with(records=RECORDS) -> io.BytesIO:
    file = io.BytesIO()
    file.write(bytes(sum(record.size for record in records)))
    write_manifest(file, records)
    return file


def file_with_text(text: bytes, before: int = 0) -> io.BytesIO:
    return io.BytesIO(bytes(before) + text + struct.pack("<QI12s", len(text), zlib.crc32(text), b"\x93EQXMANIFEST"))


def test_a_manifest_is_read_as_it_was_written_and_the_file_is_at_its_start_again():
    file = file_with()
    assert read_manifest(file) == RECORDS
    assert file.tell() == 0
    assert read_manifest(file_with(())) == ()


def test_a_manifest_is_text_with_a_line_for_each_record():
    lines = file_with().getvalue()[15:-24].decode().splitlines()
    assert json.loads("".join(lines))["version"] == 1
    assert json.loads(lines[2].rstrip(","))["path"] == RECORDS[0].path
    assert json.loads(lines[3])["kind"] == "other"


def test_a_checksum_is_that_of_the_next_bytes():
    file = io.BytesIO(b"before, here and after")
    file.seek(8)
    assert checksum(file, 4) == zlib.crc32(b"here")
    assert file.read() == b" and after"


@pytest.mark.parametrize("contents", [b"", b"short", bytes(100), b"\x93EQXMANIFES"])
def test_a_file_without_a_manifest_has_none(contents):
    file = io.BytesIO(contents)
    assert read_manifest(file) is None
    assert file.tell() == 0


def test_a_manifest_with_any_bit_flipped_is_an_error_or_none_at_all():
    contents = file_with().getvalue()
    start = sum(record.size for record in RECORDS)
    for position in range(8 * start, 8 * len(contents)):
        flipped = bytearray(contents)
        flipped[position // 8] ^= 1 << position % 8
        if position < 8 * (len(contents) - 12):
            with pytest.raises(RuntimeError, match="damaged"):
                read_manifest(io.BytesIO(flipped))
        else:
            assert read_manifest(io.BytesIO(flipped)) is None


@pytest.mark.parametrize("change", [-1, 1])
def test_a_manifest_of_more_or_fewer_bytes_than_there_are_is_an_error(change):
    contents = file_with().getvalue()
    with pytest.raises(RuntimeError, match=f"have {15 + change} bytes, and had 15"):
        read_manifest(io.BytesIO(contents[1:] if change < 0 else b"\0" + contents))


def test_a_manifest_of_a_later_version_is_an_error_that_says_so():
    with pytest.raises(RuntimeError, match=r"version 2.*reads version 1.*Update"):
        read_manifest(file_with_text(b'{"version": 2, "something": "else"}'))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        100_000 * b"[",
        b'{"version": 1}',
        b'{"version": 1, "records": [1]}',
        b'{"version": 1, "records": [{"path": "a"}]}',
        b'{"version": 1, "records": [{"path": 1, "kind": "", "shape": null, "dtype": null, "size": 1, "crc32": 0}]}',
        b'{"version": 1, "records": [{"path": "", "kind": "", "shape": null, "dtype": null, "size": -1, "crc32": 0}]}',
        b'{"version": 1, "records": [{"path": "", "kind": "", "shape": 3, "dtype": null, "size": 1, "crc32": 0}]}',
    ],
)
def test_a_manifest_that_says_something_else_is_an_error(text):
    with pytest.raises(RuntimeError, match="manifest cannot be understood"):
        read_manifest(file_with_text(text, before=1))
