"""The command line: `python -m benchmarks`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from .machine import describe_machine, is_busy
from .peer import measure_peer
from .report import Measurements, Table, to_json, write
from .rows import ROWS
from .timing import QUICK, THOROUGH, measure


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the table line by line, and write it down."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure the speed against that of plain JAX.")
    parser.add_argument("--only", metavar="WORD", default="", help="measure the rows that have this in their name")
    parser.add_argument("--quick", action="store_true", help="measure roughly")
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        type=Path,
        default=Path(__file__).parent / "results",
        help="where the table is written (default: %(default)s)",
    )
    parser.add_argument("--flax", action="store_true", help="measure Flax NNX instead, where there is a row for it")
    options = parser.parse_args(argv)
    rows = [row for row in ROWS if options.only in row.name]
    if not rows:
        parser.error(f"no row has {options.only!r} in its name; there are: " + "; ".join(row.name for row in ROWS))

    passed_on = ["--only", options.only, *(["--quick"] if options.quick else [])]
    peers = [
        measure_peer(variable, python, [*passed_on, *flags])
        for variable, flags in (("PEER", []), ("FLAX", ["--flax"]))
        if (python := os.environ.get(variable))
    ]

    machine = describe_machine("flax" if options.flax else "equinox")
    table = Table(rows, peers)
    lines = [
        f"{machine['measured']} ({', '.join(f'{k} {v}' for k, v in machine.items() if k != 'measured')})",
        "",
    ]
    if is_busy(machine):
        lines = [*lines, "The machine was busy with other programs: expect ratios to vary.", ""]
    lines.append(table.header())
    print(*lines, sep="\n", flush=True)
    measurements: Measurements = {}
    for row in rows:
        measurement = None
        prepare = row.flax if options.flax else row.prepare if row.is_possible() else None
        if prepare is not None:
            pair = prepare()
            pair.check()
            measurement = measure(pair, QUICK if options.quick else THOROUGH)
        measurements[row.name] = measurement
        lines.append(table.line(row, measurement))
        print(lines[-1], flush=True)
    write(options.results, "\n".join(lines) + "\n", to_json(machine, rows, measurements))
    print(flush=True)


if __name__ == "__main__":
    main()
