"""The table: for people, line by line as the measurements come in, and as Markdown and JSON files."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final, TypeAlias

from .row import Row
from .timing import Measurement

#: By the names of the rows; None where the installed `equinox` cannot do it.
Measurements: TypeAlias = dict[str, Measurement | None]


@dataclasses.dataclass(frozen=True)
class Peer:
    """What another `equinox` reached on the same machine."""

    version: str
    measurements: Measurements


class Table:
    """A Markdown table with a line for each row, in columns that are wide enough from the beginning."""

    _MISSING: Final = "-"

    def __init__(self, rows: list[Row], peer: Peer | None = None) -> None:
        self._peer = peer
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
        if peer is not None:
            self._widths[f"ratio of {peer.version}"] = 15

    def header(self) -> str:
        """The first two lines."""
        rule = "|".join(["", *("-" * (width + 2) for width in self._widths.values()), ""])
        return self._line(list(self._widths)) + "\n" + rule

    def line(self, row: Row, measurement: Measurement | None) -> str:
        """The line of one row."""
        if measurement is None:
            cells = [row.name, row.floor, *[self._MISSING] * 6]
        else:
            has_floor = measurement.floor_seconds is not None
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
                duration(measurement.subject_seconds),
                self._MISSING if measurement.floor_seconds is None else duration(measurement.floor_seconds),
            ]
        if self._peer is not None:
            theirs = self._peer.measurements.get(row.name)
            cells.append(
                self._MISSING if theirs is None else value(theirs.median, has_floor=theirs.floor_seconds is not None)
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


def duration(seconds: float) -> str:
    """A time with three digits, in the unit that suits it."""
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def to_json(machine: dict[str, str], rows: list[Row], measurements: Measurements) -> dict[str, Any]:
    """Everything that was found, for programs."""
    entries: list[dict[str, Any]] = []
    for row in rows:
        measurement = measurements[row.name]
        entry: dict[str, Any] = {"name": row.name, "floor": row.floor, "target": row.target, "measurement": None}
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
    return Peer(document["machine"]["equinox"], measurements)


def write(folder: Path, markdown: str, document: dict[str, Any]) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(markdown, encoding="utf-8")
    (folder / "benchmarks.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
