import json

import pytest

from benchmarks.report import Peer, Table, from_json, is_met, quantity, to_json, value
from benchmarks.row import Row
from benchmarks.timing import Measurement


def row(name="flatten", target=1.5):
    return Row(name, "nested dictionaries", target, lambda: pytest.fail("is not measured here"))


def ratio(median):
    return Measurement(9, median, median - 0.25, median + 0.25, 2e-6, 1e-6)


SECONDS = Measurement(9, 0.0384, 0.0371, 0.0402, 0.036, None)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_line_shows_ratio_spread_target_and_times():
    (name, floor, median, quartiles, target, met, time, floor_time) = cells(Table([row()]).line(row(), ratio(1.25)))
    assert (name, floor) == ("flatten", "nested dictionaries")
    assert (median, quartiles, target, met) == ("1.25", "1.00 to 1.50", "1.50", "yes")
    assert (time, floor_time) == ("2 µs", "1 µs")


def test_a_missed_target_stands_out():
    assert cells(Table([row()]).line(row(), ratio(1.75)))[5] == "NO"


def test_without_a_floor_results_and_targets_are_times():
    imports = row("import", target=0.040)
    found = cells(Table([imports]).line(imports, SECONDS))
    assert found[2:6] == ["38 ms", "37 ms to 40 ms", "40 ms", "yes"]
    assert found[7] == "-"


def test_what_was_not_measured_is_left_open():
    assert cells(Table([row()]).line(row(), None))[2:] == ["-"] * 6


@pytest.mark.parametrize("names", [["a"], ["a", "a long name"]])
def test_lines_are_as_long_as_the_header(names):
    rows = [Row(name, "-", 1.5, row().prepare) for name in names]
    table = Table(rows, [Peer("equinox 0.13.8", {"a": ratio(3.0), "a long name": None}), Peer("x", {})])
    lines = [*table.header().splitlines(), table.line(rows[0], ratio(1.0)), table.line(rows[-1], None)]
    assert len({len(line) for line in lines}) == 1


def test_each_peer_has_a_column_of_its_ratios():
    peers = [Peer("equinox 0.13.8", {"flatten": ratio(3.0), "jitf": None}), Peer("flax 0.12", {"jitf": ratio(4.0)})]
    table = Table([row(), row("jitf"), row("unknown to them")], peers)
    assert cells(table.header().splitlines()[0])[-2:] == ["equinox 0.13.8", "flax 0.12"]
    assert cells(table.line(row(), ratio(1.0)))[-2:] == ["3.00", "-"]
    assert cells(table.line(row("jitf"), ratio(1.0)))[-2:] == ["-", "4.00"]
    assert cells(table.line(row("unknown to them"), ratio(1.0)))[-2:] == ["-", "-"]


@pytest.mark.parametrize(("target", "median", "expected"), [(1.5, 1.5, True), (1.5, 1.51, False), (None, 9.0, None)])
def test_a_target_is_met_by_a_median_that_does_not_exceed_it(target, median, expected):
    assert is_met(row(target=target), ratio(median)) is expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3.21e-9, "3.21 ns"), (9.9949e-7, "999 ns"), (1.84e-5, "18.4 µs"), (0.0123, "12.3 ms"), (2.5, "2.5 s")],
)
def test_durations_are_written_in_a_fitting_unit(seconds, expected):
    assert quantity(seconds, "s") == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(12, "12 B"), (999.6, "1 kB"), (48_300, "48.3 kB"), (5e12, "5e+03 GB")]
)
def test_amounts_of_memory_are_written_in_a_fitting_unit(count, expected):
    assert quantity(count, "B") == expected


def test_the_unit_is_that_of_the_row():
    memory = Row("memory", "jax.jit", None, row().prepare, unit="B")
    assert cells(Table([memory]).line(memory, Measurement(9, 2.0, 1.9, 2.1, 4e3, 2e3)))[6:] == ["4 kB", "2 kB"]


@pytest.mark.parametrize(("number", "expected"), [(1.234, "1.23"), (99.994, "99.99"), (99.996, "100"), (982.4, "982")])
def test_ratios_have_no_more_digits_than_mean_something(number, expected):
    assert value(number, has_floor=True) == expected


def test_values_without_a_floor_are_milliseconds():
    assert value(0.0384, has_floor=False) == "38 ms"


def test_what_is_written_as_json_can_be_read_as_a_peer():
    rows = [row(), row("jitf"), row("import", target=0.040)]
    measurements = {"flatten": ratio(1.25), "jitf": None, "import": SECONDS}
    document = json.loads(json.dumps(to_json({"measured": "equinox 0.13.8"}, rows, measurements)))
    assert from_json(document) == Peer("equinox 0.13.8", measurements)


def test_the_json_says_which_targets_are_met():
    document = to_json({}, [row("a"), row("b"), row("c")], {"a": ratio(1.0), "b": ratio(2.0), "c": None})
    assert [entry.get("is_target_met") for entry in document["rows"]] == [True, False, None]
