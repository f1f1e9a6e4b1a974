import io

import pytest

from equinox._files.streams import CHUNK_SIZE, chunks, read_exactly


class Slow(io.BytesIO):
    """A file that gives a few bytes at a time, as a socket does."""

    def read(self, size=-1, /):
        return super().read(min(size or 0, 7))


def test_a_file_is_read_in_pieces_of_bounded_size():
    sizes = [len(chunk) for chunk in chunks(io.BytesIO(bytes(3 * CHUNK_SIZE)), 2 * CHUNK_SIZE + 5)]
    assert sizes == [CHUNK_SIZE, CHUNK_SIZE, 5]


def test_fewer_bytes_at_a_time_are_no_end():
    assert read_exactly(Slow(b"0123456789abcdefghij"), 18) == b"0123456789abcdefgh"


def test_nothing_is_read_for_no_bytes():
    assert read_exactly(io.BytesIO(), 0) == b""


def test_an_early_end_is_an_error_that_says_how_early():
    with pytest.raises(EOFError, match="ends 3 bytes too early"):
        read_exactly(io.BytesIO(b"12345"), 8)
