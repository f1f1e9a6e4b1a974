import io
import zlib

import pytest

from equinox._files.checked_file import CheckedFile
from equinox._files.manifest import Record


@pytest.fixture
def file(tmp_path):
    (tmp_path / "file").write_bytes(b"before, here and after")
    with CheckedFile(io.FileIO(tmp_path / "file")) as file:
        file.seek(8)
        yield file


def test_what_was_written_is_known_from_then_on(file):
    record = Record(".a", "other", None, None, 4, zlib.crc32(b"here"))
    assert file.record is None
    file.check(record)
    assert file.record is record
    assert file.read(4) == b"here"


@pytest.mark.parametrize("written", [b"hero", b"her"])
def test_what_was_not_written_is_an_error(file, written):
    with pytest.raises(ValueError, match="damaged"):
        file.check(Record(".a", "other", None, None, 4, zlib.crc32(written)))
    assert file.record is None
