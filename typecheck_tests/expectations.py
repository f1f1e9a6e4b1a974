"""What a file says about the errors that checkers are to report in it, in comments on the lines in question.

    step(3)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.jitf(step)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) zuban(one-filter)
    model.weight = x  # error  # gap: all(plain-field)

`error` says that the line is wrong, and with which codes mypy and pyright must say so; of the other checkers, any error
will do. `gap` says that a checker does not do what it should on this line, and names the reason, which is explained
once in `gaps.toml`: either it overlooks the error, or it reports one where there is none. `all` stands for all that
are not named on the line. What is said of pyright holds for basedpyright as well.
"""

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping

from .checkers import HERE, Checker, Diagnostic

#: In place of the name of a checker.
ALL = "all"

_COMMENT = re.compile(r"# (error|gap)\b:?([^#]*)")
_ENTRIES = {"error": re.compile(r"([a-z]+)\[([^\]]+)\]"), "gap": re.compile(r"([a-z]+)\(([^)]+)\)")}


@dataclasses.dataclass
class Line:
    """What is expected of one line: for each checker its codes or the name of its gap."""

    codes: dict[str, set[str]] = dataclasses.field(default_factory=dict[str, set[str]])
    gaps: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    is_wrong: bool = False

    def gap(self, name: str) -> str | None:
        """The name of the gap that the checker of this name has here."""
        return self.gaps.get(name) or (self.gaps.get(ALL) if name not in self.codes else None)


class MarkerError(ValueError):
    """A comment that is meant for these tests, but does not say anything that they understand."""


def read_markers(path: str, text: str) -> dict[int, Line]:
    """Read the comments in a file."""
    lines: dict[int, Line] = {}
    for number, source in enumerate(text.splitlines(), 1):
        comments: list[tuple[str, str]] = _COMMENT.findall(source)
        line = Line()
        for kind, text_of_entries in comments:
            entries: list[tuple[str, str]] = _ENTRIES[kind].findall(text_of_entries)
            if _ENTRIES[kind].sub("", text_of_entries).strip() or (kind == "gap" and not entries):
                raise MarkerError(f"{path}:{number}: cannot be read: # {kind}:{text_of_entries}")
            for checker, value in entries:
                if checker in line.codes or checker in line.gaps:
                    raise MarkerError(f"{path}:{number}: {checker} is named twice")
                if kind == "error":
                    line.codes[checker] = {code.strip() for code in value.split(",")}
                else:
                    line.gaps[checker] = value
            line.is_wrong |= kind == "error"
        if comments:
            lines[number] = line
    return lines


def read_gaps() -> dict[str, dict[str, str]]:
    """Read what is known about the gaps of checkers, by name."""
    return tomllib.loads((HERE / "gaps.toml").read_text(encoding="utf-8"))


def differences(
    checker: Checker, expected: Mapping[str, Mapping[int, Line]], reported: Iterable[Diagnostic]
) -> list[str]:
    """Say where what a checker reports is not what the files say, one sentence for each line of theirs."""
    found: dict[tuple[str, int], list[Diagnostic]] = {}
    for diagnostic in reported:
        found.setdefault((diagnostic.path, diagnostic.line), []).append(diagnostic)
    marked = {(path, number) for path, lines in expected.items() for number in lines}
    return [
        f"{path}:{number}: {checker.name} {difference}"
        for path, number in sorted(marked | found.keys())
        if (difference := _difference(checker, expected[path].get(number, Line()), found.get((path, number), [])))
    ]


def _difference(checker: Checker, expected: Line, reported: list[Diagnostic]) -> str | None:
    codes = {diagnostic.code for diagnostic in reported}
    what = "; ".join(f"[{diagnostic.code}] {diagnostic.message}" for diagnostic in reported) or "no error"
    gap = expected.gap(checker.named)
    if gap is not None:
        is_closed = bool(reported) is expected.is_wrong
        return f"no longer has the gap `{gap}` here: it reports {what}" if is_closed else None
    if not checker.has_codes:
        return None if bool(reported) is expected.is_wrong else f"reports {what}"
    wanted = expected.codes.get(checker.named, set())
    if codes == wanted:
        return None
    return f"should report {', '.join(f'[{code}]' for code in sorted(wanted)) or 'no error'}, but reports {what}"
