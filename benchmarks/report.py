"""The table: for people, line by line as the measurements come in, and as Markdown and JSON files."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from .row import Row
from .timing import Measurement

#: By the names of the rows; None where the installed `equinox` cannot do it.
Measurements: TypeAlias = dict[str, Measurement | None]


@dataclasses.dataclass(frozen=True)
class Peer:
    """What another library reached on the same machine."""

    name: str
    measurements: Measurements


class Table:
    """A Markdown table with a line for each row, in columns that are wide enough from the beginning."""

    _MISSING: Final = "-"

    def __init__(self, rows: list[Row], peers: Sequence[Peer] = ()) -> None:
        self._peers = peers
        self._widths = {
            "work": max(len(text) for text in ("work", *(row.name for row in rows))),
            "floor": max(len(text) for text in ("floor", *(row.floor for row in rows))),
            "ratio": 7,
            "quartiles": 14,
            "target": 6,
            "met": 3,
            "time": 7,
            "floor's time": 12,
        }
        self._widths |= {peer.name: max(7, len(peer.name)) for peer in peers}

    def header(self) -> str:
        """The first two lines."""
        rule = "|".join(["", *("-" * (width + 2) for width in self._widths.values()), ""])
        return self._line(list(self._widths)) + "\n" + rule

    def line(self, row: Row, measurement: Measurement | None) -> str:
        """The line of one row."""
        if measurement is None:
            cells = [row.name, row.floor, *[self._MISSING] * 6]
        else:
            has_floor = measurement.floor_best is not None
            quartiles = [
                value(x, has_floor=has_floor) for x in (measurement.lower_quartile, measurement.upper_quartile)
            ]
            met = is_met(row, measurement)
            cells = [
                row.name,
                row.floor,
                value(measurement.median, has_floor=has_floor),
                " to ".join(quartiles),
                self._MISSING if row.target is None else value(row.target, has_floor=has_floor),
                self._MISSING if met is None else "yes" if met else "NO",
                quantity(measurement.subject_best, row.unit),
                self._MISSING if measurement.floor_best is None else quantity(measurement.floor_best, row.unit),
            ]
        for peer in self._peers:
            theirs = peer.measurements.get(row.name)
            cells.append(
                self._MISSING if theirs is None else value(theirs.median, has_floor=theirs.floor_best is not None)
            )
        return self._line(cells)

    def _line(self, cells: list[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, self._widths.values(), strict=True)]
        return f"| {' | '.join(padded)} |"


def is_met(row: Row, measurement: Measurement) -> bool | None:
    """Whether the target is met, if there is one."""
    return None if row.target is None else measurement.median <= row.target


def value(number: float, *, has_floor: bool) -> str:
    """What is held against the target: a ratio, or a time in milliseconds."""
    if not has_floor:
        return f"{number * 1e3:.0f} ms"
    return f"{number:.2f}" if number < 99.995 else f"{number:.0f}"


_UNITS: Final = {
    "s": (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)),
    "B": (("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9)),
}


def quantity(number: float, unit: Literal["s", "B"]) -> str:
    """Seconds or bytes with three digits, in the multiple that suits them."""
    multiples = _UNITS[unit]
    name, size = next((multiple for multiple in multiples if number / multiple[1] < 999.5), multiples[-1])
    return f"{number / size:.3g} {name}"


def to_json(machine: dict[str, str], rows: list[Row], measurements: Measurements) -> dict[str, Any]:
    """Everything that was found, for programs."""
    entries: list[dict[str, Any]] = []
    for row in rows:
        measurement = measurements[row.name]
        entry: dict[str, Any] = {"name": row.name, "floor": row.floor, "target": row.target, "unit": row.unit}
        entry["measurement"] = None
        if measurement is not None:
            entry |= {"measurement": dataclasses.asdict(measurement), "is_target_met": is_met(row, measurement)}
        entries.append(entry)
    return {"machine": machine, "rows": entries}


def from_json(document: dict[str, Any]) -> Peer:
    """What another interpreter wrote down with `to_json`."""
    measurements: Measurements = {
        entry["name"]: None if entry["measurement"] is None else Measurement(**entry["measurement"])
        for entry in document["rows"]
    }
    return Peer(document["machine"]["measured"], measurements)


def write(folder: Path, markdown: str, document: dict[str, Any]) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(markdown, encoding="utf-8")
    (folder / "benchmarks.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
