"""The comments in the files mean what they say: a difference in either direction is found."""

import pytest

from typecheck_tests.checkers import Checker, Diagnostic
from typecheck_tests.expectations import MarkerError, differences, read_markers

STRICT = Checker("strict", has_codes=True, command=(), read=lambda output: iter(()))
LIKE_STRICT = Checker("offshoot", has_codes=True, command=(), read=lambda output: iter(()), like="strict")
LENIENT = Checker("lenient", has_codes=False, command=(), read=lambda output: iter(()))


def compare(source: str, *codes: str, checker: Checker = STRICT) -> list[str]:
    """Compare one line with what a checker reports for it."""
    expected = {"file.py": read_markers("file.py", source)}
    return differences(checker, expected, [Diagnostic("file.py", 1, code, "the message") for code in codes])


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("x", ()),
        ("x  # error: strict[a]", ("a",)),
        ("x  # error: strict[a]", ("a", "a")),
        ("x  # error: strict[a, b]", ("b", "a")),
        ("x  # error: strict[a] other[b]", ("a",)),
        ("x  # error: other[a]  # gap: strict(reason)", ()),
        ("x  # error  # gap: strict(reason)", ()),
        ("x  # gap: strict(reason)", ("a",)),
        ("x  # gap: all(reason)", ("a",)),
        ("x  # error  # gap: other(reason) all(reason)", ()),
        ("x  # error: strict[a]  # gap: all(reason)", ("a",)),
    ],
)
def test_what_is_expected_is_no_difference(source: str, codes: tuple[str, ...]) -> None:
    assert compare(source, *codes) == []
    assert compare(source, *codes, checker=LIKE_STRICT) == []


@pytest.mark.parametrize(
    ("source", "codes", "fragments"),
    [
        pytest.param("x", ("a",), ["no error", "[a] the message"], id="an unexpected error"),
        pytest.param("x  # error: strict[a]", (), ["[a]", "no error"], id="a missing error"),
        pytest.param("x  # error: strict[a]", ("b",), ["[a]", "[b] the message"], id="another code"),
        pytest.param("x  # error: strict[a]", ("a", "b"), ["[a]", "[b] the message"], id="one code too many"),
        pytest.param("x  # error: strict[a, b]", ("a",), ["[b]", "[a] the message"], id="one code too few"),
        pytest.param("x  # error: other[a]  # gap: strict(reason)", ("a",), ["reason", "[a]"], id="now it is found"),
        pytest.param("x  # error", ("a",), ["no error", "[a]"], id="an error that nobody should report"),
        pytest.param("x  # gap: strict(reason)", (), ["reason", "no error"], id="now it is accepted"),
        pytest.param("x  # gap: all(reason)", (), ["reason", "no error"], id="now that it is accepted by all"),
    ],
)
def test_a_difference_names_the_place_the_checker_and_both_sides(
    source: str, codes: tuple[str, ...], fragments: list[str]
) -> None:
    (difference,) = compare(source, *codes)
    assert difference.startswith("file.py:1: strict ")
    for fragment in fragments:
        assert fragment in difference


def test_of_a_checker_without_codes_any_error_will_do() -> None:
    assert compare("x  # error: strict[a]", "whatever", checker=LENIENT) == []
    assert compare("x  # error: strict[a]", checker=LENIENT)
    assert compare("x", "whatever", checker=LENIENT)
    assert compare("x  # error: strict[a]  # gap: lenient(reason)", checker=LENIENT) == []
    assert compare("x  # error: strict[a]  # gap: lenient(reason)", "whatever", checker=LENIENT)


@pytest.mark.parametrize(
    "source",
    [
        "x  # error: strict",
        "x  # gap:",
        "x  # error: strict(reason)",
        "x  # error: strict[a] and more",
        "x  # gap: strict[a]",
        "x  # error: strict[a] strict[b]",
        "x  # error: strict[a]  # gap: strict(reason)",
    ],
)
def test_a_comment_that_cannot_be_read_is_an_error_that_names_the_place(source: str) -> None:
    with pytest.raises(MarkerError, match=r"file\.py:1"):
        read_markers("file.py", source)


def test_a_checker_like_another_is_held_to_what_is_said_of_that_one_under_its_own_name() -> None:
    (difference,) = compare("x  # error: strict[a]", "b", checker=LIKE_STRICT)
    assert difference.startswith("file.py:1: offshoot ")
    assert compare("x  # error: strict[a]  # gap: all(reason)", checker=LIKE_STRICT)
    assert compare("x  # gap: strict(reason)", checker=LIKE_STRICT)
