"""Results for people to read: a table with a line for every build and every call, and below it what does not fit in."""

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence

from .._tree.pretty import tree_pformat
from .._tree.sizes import readable_bytes
from ._result import Failure, PyTree, Result

#: The number of columns that a cell may take, and the number of lines that an output or a message may take.
_WIDTH = 60
_HEIGHT = 24


@dataclasses.dataclass(frozen=True)
class _Row:
    #: What was done: `init 4, key=key`, `call f32[4]`.
    step: str
    #: What came of it, in a few words.
    summary: str
    #: What more there is to say.
    details: str = ""
    failed: bool = False

    @property
    def status(self) -> str:
        return "FAIL" if self.failed else "ok"


def format_table(results: Sequence[Result], checker: str | None, *, with_traceback: bool) -> str:
    """Write results down for people to read.

    **Arguments**

    - `results`: of the targets, in this order.
    - `checker`: the name of the package that annotations were checked with, if they were.
    - `with_traceback`: whether to show the tracebacks of failures.
    """
    lines = [("", "target", "step", "result")]
    paragraphs: list[str] = []
    failures = 0
    for result in results:
        target = result.target
        for row in _rows(result, with_traceback):
            lines.append((row.status, target, _shorten(row.step), _shorten(row.summary)))
            target = ""
            failures += row.failed
            if row.details:
                title = f"{row.status:4}  {result.target}  {row.step}"
                paragraphs.append(f"{title}\n{textwrap.indent(row.details, ' ' * 6)}")
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    annotations = f"annotations checked with {checker}" if checker else "annotations not checked"
    conclusion = f"{len(lines) - 1} checked, {failures} failed, {annotations}"
    return "\n\n".join([table, *paragraphs, conclusion]) + "\n"


def _rows(result: Result, with_traceback: bool) -> Iterator[_Row]:
    build = "" if result.init is None else " ".join(["init", *result.init.split()])
    if result.failure is not None:
        yield _failed("import" if result.failure.phase == "load" else build, result.failure, with_traceback)
    elif result.parameters is not None and result.bytes is not None:
        yield _Row(build, f"{result.parameters:,} parameters, {readable_bytes(result.bytes)}")
    for call in result.calls:
        step = " ".join(["call", *call.arguments.split()])
        yield _returned(step, call.output) if call.failure is None else _failed(step, call.failure, with_traceback)


def _returned(step: str, output: PyTree) -> _Row:
    lines = tree_pformat(output, width=_WIDTH, struct_as_array=True).splitlines()
    if len(lines) == 1:
        return _Row(step, lines[0])
    return _Row(step, "see below", _cut(lines))


def _failed(step: str, failure: Failure, with_traceback: bool) -> _Row:
    chain = " > ".join(failure.modules)
    module = f"{failure.path} ({chain})" if failure.path else chain
    place = failure.path or (failure.modules[-1] if failure.modules else "")
    error = _cut(f"{failure.error}: {failure.message}".splitlines())
    labelled = [("module", module), ("source", failure.source or ""), ("error", error)]
    if with_traceback:
        labelled.append(("", failure.traceback.rstrip()))
    details = "\n".join(
        f"{label:8}{textwrap.indent(text, ' ' * 8).lstrip()}" if label else f"\n{text}"
        for label, text in labelled
        if text
    )
    return _Row(step, f"{failure.error} in {place}" if place else failure.error, details, failed=True)


def _cut(lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - _HEIGHT} more lines"] if len(lines) > _HEIGHT else []
    return "\n".join([*lines[:_HEIGHT], *more])


def _shorten(cell: str) -> str:
    return cell if len(cell) <= _WIDTH else f"{cell[: _WIDTH - 3]}..."
