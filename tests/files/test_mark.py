import io

import numpy as np
import pytest

from equinox._files.mark import is_marked, mark_record


def record(*arrays) -> io.BytesIO:
    file = io.BytesIO()
    for array in arrays:
        np.save(file, array)
    return file


@pytest.mark.parametrize(
    "array", [np.arange(3), np.zeros((0, 10**10)), np.array("x" * 7), np.ones(1, [("a" * 39, "f4")])]
)
def test_a_record_that_is_marked_is_still_the_same_for_numpy(array):
    file = record(array)
    before = file.getvalue()
    file.seek(0)
    assert not is_marked(file)
    mark_record(file, 0)
    assert len(file.getvalue()) == len(before)
    assert file.getvalue() != before
    file.seek(0)
    assert is_marked(file)
    assert file.tell() == 0
    loaded = np.load(file)
    assert loaded.dtype == array.dtype
    assert loaded.tobytes() == array.tobytes()


@pytest.mark.parametrize("size", range(1, 130))
def test_there_is_always_room_for_a_mark(size):
    file = record(np.zeros(0, [("n" * size, "f4")]))
    mark_record(file, 0)
    file.seek(0)
    assert is_marked(file)


def test_only_the_record_at_the_position_is_marked():
    file = record(np.arange(3), np.arange(4))
    start = len(record(np.arange(3)).getvalue())
    mark_record(file, start)
    file.seek(0)
    assert not is_marked(file)
    file.seek(start)
    assert is_marked(file)


@pytest.mark.parametrize("contents", [b"", b"some text\twith a tab", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\x00\t"])
def test_what_is_no_record_is_left_alone_and_not_marked(contents):
    file = io.BytesIO(contents)
    assert not is_marked(file)
    assert file.tell() == 0
    mark_record(file, 0)
    assert file.getvalue() == contents
