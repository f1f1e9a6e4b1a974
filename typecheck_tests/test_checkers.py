"""Each type checker reports the errors that the files say it reports, and no other."""

from pathlib import Path

import pytest

from typecheck_tests.checkers import CHECKERS, HERE, Checker, files
from typecheck_tests.expectations import ALL, differences, read_gaps, read_markers

FOLDERS = ("pass", "fail", "reveal")
MARKERS = {
    path.relative_to(HERE).as_posix(): read_markers(str(path.relative_to(HERE)), path.read_text(encoding="utf-8"))
    for path in files(*FOLDERS)
}


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.name)
def test_checker_reports_exactly_the_errors_that_are_expected(checker: Checker) -> None:
    found = differences(checker, MARKERS, checker.run(files(*FOLDERS)))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_every_wrong_line_says_what_each_checker_with_codes_does() -> None:
    incomplete = [
        f"{path}:{number}: {checker.name}"
        for path, lines in MARKERS.items()
        for number, line in lines.items()
        for checker in CHECKERS
        if line.is_wrong and checker.has_codes and checker.named not in line.codes and not line.gap(checker.named)
    ]
    assert not incomplete


def test_only_files_that_are_to_fail_have_wrong_lines() -> None:
    for path, lines in MARKERS.items():
        assert any(line.is_wrong for line in lines.values()) is path.startswith("fail/"), path


def test_every_gap_is_explained_and_every_explanation_is_needed() -> None:
    used = {gap for lines in MARKERS.values() for line in lines.values() for gap in line.gaps.values()}
    assert read_gaps().keys() == used
    for name, gap in read_gaps().items():
        assert gap.keys() == {"what", "why", "link"}, name
        assert gap["link"].startswith("https://"), name


def test_names_in_markers_are_those_of_checkers() -> None:
    named = {name for lines in MARKERS.values() for line in lines.values() for name in (*line.codes, *line.gaps)}
    assert named <= {ALL, *(checker.named for checker in CHECKERS)}


@pytest.mark.parametrize("path", files("pass", "reveal"), ids=lambda path: path.relative_to(HERE).as_posix())
def test_programs_need_no_help_to_pass(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for help_ in ("type: ignore", "pyright: ignore", "cast(", "type: Any", "# mypy:", "# pyright:"):
        assert help_ not in text
