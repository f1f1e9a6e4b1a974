"""The timer: a subject and its floor are timed in turn, round after round, and each round gives one ratio."""

import dataclasses
import statistics
import time
import timeit
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import jax
import numpy as np

#: How long a sample should last: much longer than reading the clock, much shorter than the turn of another program.
SAMPLE_SECONDS: Final = 2e-4


class Work(Protocol):
    """Something that takes time."""

    def result(self) -> Any:
        """Do the work once; return what came of it, in a form that can be compared to that of other work."""
        ...

    def sample(self) -> float:
        """Do the work, once or often; return the seconds that it took, for once (or the bytes that it left in use)."""
        ...


class Calls:
    """Calls of a function, many in a sample.

    **Arguments**

    - `function`: does the work.
    - `view`: makes its result comparable.
    """

    def __init__(self, function: Callable[[], Any], view: Callable[[Any], Any] = lambda result: result) -> None:
        self._function = function
        self._view = view
        self._timer = timeit.Timer(function)
        self._number = 0

    def result(self) -> Any:
        """The result of one call, made comparable."""
        return self._view(self._function())

    def sample(self) -> float:
        """The seconds of one call, from as many as make a sample."""
        if not self._number:
            self._number = _calls_per_sample(self._timer)
        return self._timer.timeit(self._number) / self._number


class Expression(Calls):
    """Evaluations of an expression that is too quick to be called in a function.

    It is compiled on its own, because the interpreter adapts code to the objects that it meets there.

    **Arguments**

    - `source`: the expression.
    - `names`: the variables in it.
    - `view`: makes its value comparable.
    """

    _COPIES: Final = 50

    def __init__(self, source: str, names: Mapping[str, Any], view: Callable[[Any], Any] = lambda value: value) -> None:
        super().__init__(lambda: eval(source, dict(names)), view)
        local_variables = "; ".join(f"{name} = names[{name!r}]" for name in names)
        self._timer = timeit.Timer("\n".join([source] * self._COPIES), local_variables, globals={"names": names})

    def sample(self) -> float:
        """The seconds of one evaluation."""
        return super().sample() / self._COPIES


def _calls_per_sample(timer: timeit.Timer) -> int:
    number = 1
    while (seconds := timer.timeit(number)) < SAMPLE_SECONDS:
        # Not too far at once: the first calls are the slow ones.
        number = int(number * min(10, max(2, SAMPLE_SECONDS / seconds)))
    return number


@dataclasses.dataclass(frozen=True)
class Pair:
    """Work, and the cheapest other way to do it; without a floor, the work's own time is what counts."""

    subject: Work
    floor: Work | None

    def check(self) -> None:
        """Raise an `AssertionError` unless both have the same result: equal arrays under equal names."""
        if self.floor is not None:
            subject, floor = _arrays(self.subject.result()), _arrays(self.floor.result())
            assert subject, "There are no arrays to compare."
            assert subject.keys() == floor.keys(), f"Found in one of them only: {subject.keys() ^ floor.keys()}."
            for name, array in subject.items():
                np.testing.assert_allclose(array, floor[name], rtol=1e-4, atol=1e-6, err_msg=name)


def _arrays(tree: Any) -> dict[str, jax.Array]:
    """The arrays of a tree by their place in it, the same for `model.weight` and `model["weight"]`."""
    leaves: list[tuple[Any, Any]] = jax.tree_util.tree_leaves_with_path(tree)  # pyright: ignore[reportUnknownVariableType] # JAX does not say
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in leaves
        if isinstance(leaf, jax.Array)
    }


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What came of measuring a pair: ratios, or seconds if there is no floor."""

    rounds: int
    median: float
    lower_quartile: float
    upper_quartile: float
    #: The best samples: the fewest seconds, or bytes.
    subject_best: float
    floor_best: float | None


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long to go on."""

    seconds: float
    #: However long these take.
    least_rounds: int


THOROUGH: Final = Effort(seconds=2.0, least_rounds=11)
QUICK: Final = Effort(seconds=0.2, least_rounds=3)


def measure(pair: Pair, effort: Effort) -> Measurement:
    """Time the two in turn, for as many rounds as the effort allows."""
    works = [pair.subject] if pair.floor is None else [pair.subject, pair.floor]
    samples: dict[Work, list[float]] = {work: [] for work in works}
    for work in works:  # compile, fill caches, find out how many calls make a sample
        work.sample()
    end = time.perf_counter() + effort.seconds
    while len(samples[pair.subject]) < effort.least_rounds or time.perf_counter() < end:
        for work in works:
            samples[work].append(work.sample())
        works.reverse()  # so that none profits from coming second
    subject = values = samples[pair.subject]
    floor = None if pair.floor is None else samples[pair.floor]
    if floor is not None:
        values = [a / b for a, b in zip(subject, floor, strict=True)]
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Measurement(len(values), median, lower, upper, min(subject), None if floor is None else min(floor))
