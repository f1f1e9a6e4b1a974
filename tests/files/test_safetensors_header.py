import io
import json
import tracemalloc
from typing import Any

import pytest
import safetensors

from equinox._files.safetensors_header import Entry, read_header, write_header


def file_with(header: Any, data: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def read(contents: bytes) -> Any:
    return read_header(io.BytesIO(contents), len(contents))


def array(dtype: Any = "U8", shape: Any = (2,), offsets: Any = (0, 2)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HEADER = {"__metadata__": {"a": "b"}, "x": array(), "y": array("F32", [], [2, 6]), "z": array("F64", [0, 3], [2, 2])}


def test_a_right_header_is_read():
    header = read(file_with(HEADER, bytes(6)))
    assert header.entries == {
        "x": Entry("U8", (2,), 0, 2),
        "y": Entry("F32", (), 2, 6),
        "z": Entry("F64", (0, 3), 2, 2),
    }
    assert header.metadata == {"a": "b"}
    assert header.data_start == len(file_with(HEADER))
    safetensors.deserialize(file_with(HEADER, bytes(6)))


def test_what_is_written_is_read():
    entries = {"\N{GREEK SMALL LETTER PI}": Entry("F32", (2, 2), 0, 16), 'quo"ted': Entry("I8", (), 16, 17)}
    file = io.BytesIO()
    write_header(file, entries, {"key": "text"})
    assert file.tell() % 8 == 0
    header = read(file.getvalue() + bytes(17))
    assert header.entries == entries
    assert header.metadata == {"key": "text"}
    safetensors.deserialize(file.getvalue() + bytes(17))


WRONG = [
    (b"", "has 0 bytes"),
    (b"1234567", "has 7 bytes"),
    (file_with(b"", size=2**63), "9223372036854775808 bytes, and the format allows"),
    (file_with(b"{}", size=100_000_001), "100000001 bytes, and the format allows"),
    (file_with(b"{}", size=3), "should have 3 bytes, and the whole file has 10"),
    (file_with(b""), "not with a brace"),
    (file_with(b" {}"), "not with a brace"),
    (file_with(b"[]"), "not with a brace"),
    (file_with(b"{"), "cannot be understood"),
    (file_with(b"{}{}"), "cannot be understood"),
    (file_with(b'{"\xff": 1}'), "cannot be understood"),
    (file_with(b'{"a": ' + 100_000 * b"["), "cannot be understood"),
    (file_with({"__metadata__": {"a": 1}}), "dictionary of texts"),
    (file_with({"__metadata__": []}), "dictionary of texts"),
    (file_with({"x": 1}), "'x'"),
    (file_with({"x": {"dtype": "U8"}}), "'x'"),
    (file_with({"x": array() | {"more": 1}}, bytes(2)), "'x'"),
    (file_with({"x": array("F4")}, bytes(2)), "'x' the dtype 'F4'"),
    (file_with({"x": array(["U8"])}, bytes(2)), "'x' the dtype"),
    (file_with({"x": array(shape=2)}, bytes(2)), "'x' the shape"),
    (file_with({"x": array(shape=[2.0])}, bytes(2)), "'x' the shape"),
    (file_with({"x": array(shape=[True, 2])}, bytes(2)), "'x' the shape"),
    (file_with({"x": array(shape=[-1, -2])}, bytes(2)), "'x' the shape"),
    (file_with({"x": array(shape=[1] * 65 + [2])}, bytes(2)), "'x' the shape"),
    (file_with({"x": array(shape=[2**64, 0], offsets=[0, 0])}), "'x' the shape"),
    (file_with({"x": array(offsets=[0, 1, 2])}, bytes(2)), "'x' is at"),
    (file_with({"x": array(offsets=[-2, 0])}, bytes(2)), "'x' is at"),
    (file_with({"x": array(offsets="02")}, bytes(2)), "'x' is at"),
    (file_with({"x": array(offsets=[2, 0])}, bytes(2)), "takes 2"),
    (file_with({"x": array(offsets=[0, 3])}, bytes(3)), "takes 2"),
    (file_with({"x": array(shape=[2**40, 2**20])}, bytes(2)), "takes 1152921504606846976"),
    (file_with({"x": array(shape=[2**40], offsets=[0, 2**40])}, bytes(2)), "'x' should go to byte 1099511627776"),
    (file_with({"x": array(offsets=[1, 3])}, bytes(3)), "'x' leaves a gap"),
    (file_with({"x": array(), "y": array(offsets=[3, 5])}, bytes(5)), "'y' leaves a gap"),
    (file_with({"x": array(), "y": array()}, bytes(2)), "'y' overlaps"),
    (file_with({"x": array(), "y": array(offsets=[1, 3])}, bytes(3)), "'y' overlaps"),
    (file_with({"x": array()}, bytes(3)), "are 3 bytes, and the arrays take 2"),
    (file_with({}, bytes(1)), "are 1 bytes, and the arrays take 0"),
    (
        file_with(b'{"x": %s, "x": %s}' % (2 * (json.dumps(array()).encode(),)), bytes(2)),
        "the name 'x' is there twice",
    ),
    (file_with(b'{"x": {"shape": [2], "shape": [2]}}'), "the name 'shape' is there twice"),
]


@pytest.mark.parametrize(("contents", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_header_is_refused_before_memory_is_taken(contents, words):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words):
            read(contents)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_more_names_than_the_format_allows_are_not_written(monkeypatch):
    monkeypatch.setattr("equinox._files.safetensors_header._LARGEST_HEADER", 100)
    with pytest.raises(ValueError, match="the format allows 100"):
        write_header(io.BytesIO(), {f"name-{i}": Entry("U8", (), i, i + 1) for i in range(10)}, {})
