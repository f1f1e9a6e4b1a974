"""The Python code on the pages of the documentation, with the lines on which it stands."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"(?:^<!-- (?P<comment>[^\n]+) -->\n)?^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
    """One block of code."""

    code: str
    #: How many lines of the page come before the code.
    lines_before: int
    #: What an HTML comment on the line before the block says, which readers of the page do not see.
    comment: str | None

    @property
    def is_session(self) -> bool:
        """Whether it shows an interactive session, with results."""
        return self.code.startswith(">>>")


def blocks(page: Path) -> Iterator[Block]:
    """All blocks of a page. They continue each other, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        yield Block(found["code"], text.count("\n", 0, found.start("code")), found["comment"])
