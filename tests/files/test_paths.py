import io
import os
from pathlib import Path

import pytest

from equinox._files.paths import is_path, with_suffix


class Named:
    def __fspath__(self) -> str:
        return "named"


def test_strings_bytes_and_objects_that_name_a_path_are_paths():
    assert all(map(is_path, ["a", b"a", Path("a"), Named()]))
    assert not any(map(is_path, [io.BytesIO(), 1, None]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model", "model.eqx"),
        ("a.b", "a.b"),
        (".hidden", ".hidden.eqx"),
        ("folder.d/model", "folder.d/model.eqx"),
        (Path("/a/model.eqx"), "/a/model.eqx"),
        (b"model", "model.eqx"),
        (Named(), "named.eqx"),
    ],
)
def test_a_suffix_is_added_where_the_last_part_of_a_path_has_none(path, expected):
    assert os.fspath(with_suffix(path, ".eqx")) == expected
