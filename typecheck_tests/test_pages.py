"""The code on the pages of the documentation is free of errors to mypy and pyright, in strict mode.

A block that is not to be checked says why, in an HTML comment on the line before it, which readers do not see:

    <!-- not type-checked: it shows an error -->
"""

import doctest
import json
import shutil
from pathlib import Path

import pytest

from tests.pages import PAGES, Block, blocks
from typecheck_tests.checkers import CHECKERS, HERE, ROOT, Checker

EXEMPT = "not type-checked: "

# A session shows the value of an expression, with which nothing is done. A block may import again what one before did.
EXCEPTIONS = {"reportUnusedExpression": False, "reportDuplicateImport": False}


def program(page: Path) -> str:
    """All code of a page, on the lines on which it stands there."""
    lines: dict[int, str] = {}
    for block in blocks(page):
        if block.comment is None or not block.comment.startswith(EXEMPT):
            for start, code in _pieces(block):
                lines |= dict(enumerate(code.splitlines(), start))
    return "".join(f"{lines.get(number, '')}\n" for number in range(max(lines, default=0) + 1))


def _pieces(block: Block) -> list[tuple[int, str]]:
    if not block.is_session:
        return [(block.lines_before, block.code)]
    examples = doctest.DocTestParser().get_examples(block.code)
    return [(block.lines_before + example.lineno, example.source) for example in examples]


def check(checker: Checker, pages: list[Path], folder: Path) -> list[str]:
    """Check pages of the project, and name them in what is reported."""
    shutil.copy(HERE / "mypy.ini", folder)
    (folder / "pyrightconfig.json").write_text(json.dumps({"extends": str(HERE / "pyrightconfig.json"), **EXCEPTIONS}))
    programs = [(folder / page.relative_to(ROOT)).with_suffix(".py") for page in pages]
    for page, path in zip(pages, programs, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program(page), encoding="utf-8")
    return [
        f"{Path(found.path).with_suffix('.md')}:{found.line}: {checker.name} reports [{found.code}] {found.message}"
        for found in checker.run(programs, folder=folder)
    ]


@pytest.mark.parametrize(
    "checker", [each for each in CHECKERS if each.name in {"mypy", "pyright"}], ids=lambda c: c.name
)
def test_the_code_of_all_pages_is_free_of_errors(checker: Checker, tmp_path: Path) -> None:
    found = check(checker, PAGES, tmp_path)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_comment_on_a_block_says_that_it_is_not_checked_and_why(page: Path) -> None:
    for block in blocks(page):
        assert block.comment is None or block.comment.removeprefix(EXEMPT).strip() not in {"", block.comment}


PAGE = """\
Some text.
```python
def f(x: int) -> int:
    return x
```
<!-- not type-checked: it is wrong -->
```python
f("a")
```
```python
>>> for i in range(2):
...     f(i)
0
1
>>> f(3)
3
```
"""


def test_code_stands_on_the_lines_on_which_it_stands_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    expected = {3: "def f(x: int) -> int:", 4: "    return x", 11: "for i in range(2):", 12: "    f(i)", 15: "f(3)"}
    assert {number: line for number, line in enumerate(program(page).split("\n"), 1) if line} == expected
