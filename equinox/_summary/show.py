"""The table for people to look at: as plain text, with lines where `rich` is installed, and as HTML in a notebook."""

import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import jax

from .._tree.pretty import tree_pformat
from .._tree.sizes import readable_bytes

if TYPE_CHECKING:
    from rich.table import Table

    from .data import SummaryRow

_PyTree: TypeAlias = Any

#: The columns: their titles, and whether they hold numbers. Those of `_OF_CALLS` only make sense where there are calls.
_COLUMNS = {
    "part": False,
    "class": False,
    "in": False,
    "out": False,
    "parameters": True,
    "trainable": False,
    "memory": True,
    "dtype": False,
    "FLOPs": True,
}
_OF_CALLS = {"in", "out", "FLOPs"}

#: Columns that hold lists, which can continue on the next line.
_LISTS = {"in", "out", "dtype"}

#: How many arrays of an argument or a result are shown.
_SHOWN = 4


def plain_table(rows: "Sequence[SummaryRow]") -> str:
    """Write the table with spaces between the columns."""
    titles, cells = _cells(rows)
    lines = [titles, *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(
            cell.rjust(width) if _COLUMNS[title] else cell.ljust(width)
            for cell, width, title in zip(line, widths, titles, strict=True)
        ).rstrip()
        for line in lines
    ]
    rule = "-" * max(map(len, aligned))
    return "\n".join([aligned[0], rule, *aligned[1:], rule, _totals(rows)])


def web_table(rows: "Sequence[SummaryRow]") -> str:
    """Write the table in HTML."""
    titles, cells = _cells(rows)

    def line(tag: str, texts: Iterable[str]) -> str:
        columns = zip(texts, titles, strict=True)
        return "".join(
            f'<{tag} style="text-align: {"right" if _COLUMNS[title] else "left"}">{html.escape(text)}</{tag}>'
            for text, title in columns
        )

    body = "".join(f"<tr>{line('td', texts)}</tr>" for texts in cells)
    caption = f"<caption>{html.escape(_totals(rows))}</caption>"
    return f"<table>{caption}<thead><tr>{line('th', titles)}</tr></thead><tbody>{body}</tbody></table>"


def rich_table(rows: "Sequence[SummaryRow]") -> "Table":
    """Make a table of `rich`, which has to be installed."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 # an optional dependency
    from rich.table import Table  # noqa: PLC0415 # as above
    from rich.text import Text  # noqa: PLC0415 # as above

    titles, cells = _cells(rows)
    table = Table(caption=_totals(rows), caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for title, *texts in zip(titles, *cells, strict=True):
        longest_word = max(len(word) for text in (title, *texts) for word in text.split())
        table.add_column(
            title,
            justify="right" if _COLUMNS[title] else "left",
            no_wrap=title not in _LISTS,
            min_width=longest_word,
        )
    for texts in cells:
        # Key paths have brackets, which `rich` would take for markup.
        table.add_row(*map(Text, texts))
    return table


def rich_text(rows: "Sequence[SummaryRow]") -> str | None:
    """Write the table with lines, as wide as the terminal or as it needs; None if `rich` is not installed."""
    try:
        from rich.console import Console  # noqa: PLC0415 # an optional dependency
        from rich.measure import Measurement  # noqa: PLC0415 # as above
    except ImportError:
        return None
    table = rich_table(rows)
    console = Console(file=io.StringIO(), color_system=None)
    console.width = max(console.width, Measurement.get(console, console.options.update(width=1000), table).minimum)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n")


def _cells(rows: "Sequence[SummaryRow]") -> tuple[list[str], list[list[str]]]:
    """The titles of the columns that are needed, and the text of each row."""
    has_calls = any(row.calls for row in rows)
    titles = [title for title in _COLUMNS if has_calls or title not in _OF_CALLS]
    return titles, [[texts[title] for title in titles] for texts in map(_texts, rows)]


def _texts(row: "SummaryRow") -> dict[str, str]:
    times = f" ×{row.calls}" if row.calls > 1 else ""  # noqa: RUF001 # the multiplication sign is meant
    is_trained = "" if row.parameters == 0 else "no" if row.trainable == 0 else "yes"
    return {
        "part": f"model{row.path}",
        "class": row.type,
        "in": _arrays(list((row.inputs or {}).values())),
        "out": _arrays(row.output) + times if row.calls else "",
        "parameters": f"{row.parameters:,}",
        "trainable": is_trained if row.trainable in (0, row.parameters) else f"{row.trainable:,}",
        "memory": readable_bytes(row.bytes),
        "dtype": ", ".join(row.dtypes),
        "FLOPs": "" if row.flops is None else f"{row.flops:,}",
    }


def _arrays(tree: _PyTree) -> str:
    structs = [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.ShapeDtypeStruct)]
    texts = [tree_pformat(struct, struct_as_array=True) for struct in structs[:_SHOWN]]
    more = [f"{len(structs) - _SHOWN} more"] if len(structs) > _SHOWN else []
    return ", ".join([*texts, *more])


def _totals(rows: "Sequence[SummaryRow]") -> str:
    total = rows[0]
    flops = "" if total.flops is None else f", {total.flops:,} FLOPs"
    parameters = "parameter" if total.parameters == 1 else "parameters"
    return f"{total.parameters:,} {parameters}, {total.trainable:,} trainable, {readable_bytes(total.bytes)}{flops}"
