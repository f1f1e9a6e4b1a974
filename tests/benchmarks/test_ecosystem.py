"""Two interpreters do the same work: their results are compared, and the times that they take."""

import sys
from typing import Any

import pytest

from benchmarks.ecosystem.__main__ import Worker, agreement, measure


def test_results_agree_to_the_bit_or_to_rounding_or_not_at_all() -> None:
    assert agreement([1.0, [2.0]], [1.0, [2.0]]) == "to the bit"
    assert agreement([1.0, [2.0]], [1.0, [2.0 + 1e-12]]) == "to rounding"
    assert agreement([1.0, [2.0]], [1.0, [2.1]]) is None
    assert agreement([1.0, [2.0]], [1.0]) is None
    assert agreement([[1.0, 2.0]], [[1.0, 2.0, 3.0]]) is None


def test_the_two_take_turns_and_the_ratio_is_ours_to_theirs() -> None:
    told: list[str] = []

    class Clock:
        def __init__(self, name: str, seconds: float) -> None:
            self.name, self.seconds = name, seconds

        def tell(self, line: str) -> dict[str, Any]:
            told.append(self.name)
            return {"seconds": self.seconds}

    ours: Any = Clock("ours", 1.0)
    theirs: Any = Clock("theirs", 4.0)
    assert set(measure(ours, theirs, seconds=0)) == {0.25}
    assert told[:4] == ["ours", "theirs", "theirs", "ours"]


def test_a_worker_answers_with_results_and_times() -> None:
    pytest.importorskip("diffrax")
    worker = Worker(sys.executable)
    first = worker.tell("prepare Lineax: 3 x 3, called directly")
    assert first["result"] == [[0.0, 0.5, 1.0]]
    assert 0 < worker.tell("sample")["seconds"] < first["seconds"]
    worker.end()


def test_a_worker_that_does_not_come_up_is_an_error() -> None:
    with pytest.raises(SystemExit, match="has ended early"):
        Worker("false")
