import pytest

from benchmarks.row import Row
from benchmarks.rows import ROWS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_subject_and_floor_compute_the_same(row):
    row.prepare().check()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_this_library_can_do_it(row):
    assert row.is_possible()


def test_a_row_that_needs_what_a_library_does_not_have_is_not_possible():
    assert not Row("name", "floor", None, ROWS[0].prepare, ("filter_jit", "no_such_name")).is_possible()


def test_rows_are_told_apart_by_their_names():
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_only_the_import_has_no_floor():
    assert [row.name for row in ROWS if row.floor == "-"] == ["import, after jax"]


def test_importing_takes_time():
    (row,) = (row for row in ROWS if row.name == "import, after jax")
    assert 0 < row.prepare().subject.sample() < 60
