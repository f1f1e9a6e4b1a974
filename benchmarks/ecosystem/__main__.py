"""The command line: `python -m benchmarks.ecosystem OURS THEIRS`, each the path of an interpreter."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

_ROOT: Final = Path(__file__).parents[2]

# The `equinox` of the environment is imported first, since ours lies in the folder in which these benchmarks are found.
_PROGRAM: Final = """
import sys
import equinox
sys.path.append(sys.argv[1])
from benchmarks.ecosystem.worker import main
main()
"""

_NAMES: Final = """
import sys
import equinox
sys.path.append(sys.argv[1])
from benchmarks.ecosystem.programs import PROGRAMS
print(*PROGRAMS, sep="\\n")
"""

#: Results may differ by this much: the same operations, in another order.
_RELATIVE: Final = 1e-7
_ABSOLUTE: Final = 1e-9


class Worker:
    """An interpreter that does the work when it is told to."""

    def __init__(self, python: str) -> None:
        command = [python, "-P", "-c", _PROGRAM, str(_ROOT)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def tell(self, line: str) -> dict[str, Any]:
        """Send a line; return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> None:
        """Let the interpreter end."""
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.end()
            sys.exit(f"{self._process.args!r} has ended early; the lines above say why.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(ours: Worker, theirs: Worker, seconds: float) -> list[float]:
    """Let both do their work in turn; return the ratios of the times they take."""
    ratios: list[float] = []
    workers = [ours, theirs]
    end = time.perf_counter() + seconds
    while len(ratios) < 11 or time.perf_counter() < end:
        taken = {worker: worker.tell("sample")["seconds"] for worker in workers}
        ratios.append(taken[ours] / taken[theirs])
        workers.reverse()  # so that none profits from coming second
    return ratios


def main() -> None:
    """Measure, compare, and print the table line by line."""
    parser = argparse.ArgumentParser("python -m benchmarks.ecosystem", description=__doc__)
    parser.add_argument("ours", help="the interpreter of an environment with this library")
    parser.add_argument("theirs", help="the interpreter of an environment with Equinox 0.13.8")
    parser.add_argument("--only", metavar="WORD", default="", help="measure what has this in its name")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to measure each (default: %(default)s)")
    options = parser.parse_args()
    listed = subprocess.run(
        [options.ours, "-P", "-c", _NAMES, str(_ROOT)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    ours, theirs = Worker(options.ours), Worker(options.theirs)
    print(f"| {'work':36} | {'ratio':5} | {'quartiles':12} | {'first call':10} | {'same numbers':12} |")
    print(f"|{'-' * 38}|{'-' * 7}|{'-' * 14}|{'-' * 12}|{'-' * 14}|", flush=True)
    is_same = True
    for name in listed.splitlines():
        if options.only not in name:
            continue
        first, second = (worker.tell(f"prepare {name}") for worker in (ours, theirs))
        same = agreement(first["result"], second["result"])
        is_same &= same is not None
        lower, median, upper = statistics.quantiles(measure(ours, theirs, options.seconds), n=4, method="inclusive")
        quartiles = f"{lower:.2f} to {upper:.2f}"
        print(
            f"| {name:36} | {median:5.2f} | {quartiles:12} | {first['seconds'] / second['seconds']:10.2f} "
            f"| {same or 'NO':12} |",
            flush=True,
        )
    for worker in (ours, theirs):
        worker.end()
    if not is_same:
        sys.exit("Some numbers differ.")


def agreement(ours: list[Any], theirs: list[Any]) -> str | None:
    """How far the results agree: to the bit, to rounding, or not at all."""
    if ours == theirs:
        return "to the bit"
    try:
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=_RELATIVE, atol=_ABSOLUTE)
    except (AssertionError, ValueError):
        return None
    return "to rounding"


if __name__ == "__main__":
    main()
