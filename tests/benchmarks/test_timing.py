import timeit
from functools import partial

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from benchmarks.timing import Calls, Effort, Expression, Pair, measure


class Scripted:
    """Work that takes the given times, one after the other."""

    def __init__(self, name, seconds, journal=None):
        self.name = name
        self.seconds = iter(seconds)
        self.journal = [] if journal is None else journal

    def result(self):
        return jnp.zeros(3)

    def sample(self):
        self.journal.append(self.name)
        return next(self.seconds)


WARM_UP = 1000.0


def test_the_result_is_the_median_of_the_ratios_of_paired_rounds_and_not_the_ratio_of_medians():
    subject = Scripted("subject", [WARM_UP, 2.0, 30.0, 12.0])
    floor = Scripted("floor", [WARM_UP, 1.0, 10.0, 3.0])
    measurement = measure(Pair(subject, floor), Effort(seconds=0, least_rounds=3))
    assert measurement.rounds == 3
    assert measurement.median == 3.0  # of 2, 3 and 4
    assert (measurement.lower_quartile, measurement.upper_quartile) == (2.5, 3.5)


def test_the_best_times_are_reported_in_seconds():
    subject = Scripted("subject", [WARM_UP, 2.0, 30.0, 12.0])
    floor = Scripted("floor", [WARM_UP, 1.5, 10.0, 3.0])
    measurement = measure(Pair(subject, floor), Effort(seconds=0, least_rounds=3))
    assert (measurement.subject_best, measurement.floor_best) == (2.0, 1.5)


def test_without_a_floor_the_time_itself_is_the_result():
    measurement = measure(Pair(Scripted("subject", [WARM_UP, 3.0, 1.0, 2.0]), None), Effort(0, least_rounds=3))
    assert (measurement.median, measurement.subject_best, measurement.floor_best) == (2.0, 1.0, None)


def test_subject_and_floor_take_turns_in_being_first():
    journal: list[str] = []
    pair = Pair(Scripted("subject", [1.0] * 9, journal), Scripted("floor", [1.0] * 9, journal))
    measure(pair, Effort(seconds=0, least_rounds=3))
    assert journal[2:] == ["subject", "floor", "floor", "subject", "subject", "floor"]


def test_measuring_goes_on_until_the_time_is_up(monkeypatch):
    now = 0.0

    class OneSecond(Scripted):
        def sample(self):
            nonlocal now
            now += 1.0
            return 1.0

    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert measure(Pair(OneSecond("subject", []), None), Effort(seconds=3.5, least_rounds=2)).rounds == 4


@pytest.fixture
def clock(monkeypatch):
    """A clock for `timeit` that goes forward when it is called with a number of seconds."""
    now = [0.0]

    def advance(seconds):
        now[0] += seconds

    monkeypatch.setattr(timeit, "Timer", partial(timeit.Timer, timer=lambda: now[0]))
    return advance


@pytest.mark.parametrize("seconds", [1e-8, 1e-5, 0.25])
def test_a_sample_of_calls_is_the_time_of_one_call(clock, seconds):
    assert Calls(lambda: clock(seconds)).sample() == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [1e-8, 1e-5, 0.25])
def test_a_sample_of_an_expression_is_the_time_of_one_evaluation(clock, seconds):
    assert Expression("clock(seconds)", {"clock": clock, "seconds": seconds}).sample() == pytest.approx(seconds)


def test_quick_calls_are_repeated_in_a_sample_and_slow_ones_are_not(clock):
    count = 0

    def work(seconds):
        nonlocal count
        count += 1
        clock(seconds)

    quick, slow = Calls(lambda: work(1e-6)), Calls(lambda: work(1.0))
    for calls, expected in ((quick, range(200, 2001)), (slow, range(1, 2))):
        calls.sample()
        count = 0
        calls.sample()
        assert count in expected


def test_the_result_of_work_is_what_its_view_makes_of_it():
    assert Calls(lambda: [1, 2], view=sum).result() == 3
    assert Expression("x + 1", {"x": 2}, view=str).result() == "3"


class Point(eqx.Module):
    x: jax.Array
    y: jax.Array


def pair_of(subject, floor):
    return Pair(Calls(lambda: subject), Calls(lambda: floor))


ONE, TWO = jnp.ones(2), jnp.full(2, 2.0)


def test_a_module_and_a_dictionary_with_the_same_arrays_are_the_same_result():
    pair_of((Point(ONE, TWO), "name"), ({"y": TWO, "x": ONE}, None)).check()


@pytest.mark.parametrize(
    ("floor", "complaint"),
    [({"x": ONE, "y": ONE}, "y"), ({"x": ONE, "z": TWO}, "z"), ({"x": ONE, "y": jnp.ones((2, 2))}, "y")],
    ids=["value", "name", "shape"],
)
def test_other_arrays_are_another_result(floor, complaint):
    with pytest.raises(AssertionError, match=complaint):
        pair_of(Point(ONE, TWO), floor).check()


def test_results_without_arrays_cannot_be_compared():
    with pytest.raises(AssertionError, match="no arrays"):
        pair_of(1, 1).check()
