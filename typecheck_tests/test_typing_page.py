"""What the page of the documentation about types says is found, is found; what it says is not, is a known gap."""

import re

from typecheck_tests.checkers import HERE, ROOT
from typecheck_tests.expectations import read_gaps, read_markers

PAGE = (ROOT / "docs" / "typing.md").read_text(encoding="utf-8")
FILE = "fail/typing_page.py"
TEXT = (HERE / FILE).read_text(encoding="utf-8")
FINDINGS = re.findall(r"^\| `(.+?)` \| .+? \| `([a-z-]+)` \| `([A-Za-z]+)` \|$", PAGE, re.MULTILINE)


def test_the_program_on_the_page_is_the_one_that_has_the_mistakes() -> None:
    program = PAGE.partition("```python\n")[2].partition("```")[0]
    docstring, _, rest = TEXT.partition("\n\n")
    assert rest.startswith(program)
    assert docstring.count("\n") == 0


def test_the_mistakes_on_the_page_are_reported_as_it_says() -> None:
    markers = read_markers(FILE, TEXT)
    lines = {line.partition("  # ")[0].strip(): number for number, line in enumerate(TEXT.splitlines(), 1)}
    for code, mypy, pyright in FINDINGS:
        expected = markers[lines[code]]
        assert expected.codes["mypy"] == {mypy}, code
        assert pyright in expected.codes["pyright"], code
    assert len(FINDINGS) == len(markers)


def test_the_gaps_on_the_page_are_known() -> None:
    links = re.findall(r"\]\((https://[^)]+)\)", PAGE.partition("## What cannot be found")[2])
    assert links
    assert {*links} <= {gap["link"] for gap in read_gaps().values()}


def test_the_page_installs_the_versions_that_are_tested() -> None:
    tested = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name, version in re.findall(r"\b(mypy|pyright)==([0-9.]+)", PAGE):
        assert re.search(rf'"{name}(\[\w+\])?=={re.escape(version)}"', tested), name
