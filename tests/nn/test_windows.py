"""One number for all axes, or one for each."""

from typing import Any

import numpy as np
import pytest

from equinox.nn._windows import as_pads, per_axis


@pytest.mark.parametrize("value", [2, np.int64(2), np.array(2), [2, 2, 2], (2, np.int32(2), 2), np.array([2, 2, 2])])
def test_an_integer_stands_for_all_axes_and_a_sequence_has_one_for_each(value):
    found = per_axis("stride", value, 3)
    assert found == (2, 2, 2)
    assert {type(item) for item in found} == {int}


def test_the_axes_may_differ_and_there_may_be_none():
    assert per_axis("stride", [1, 2], 2) == (1, 2)
    assert per_axis("stride", 1, 0) == per_axis("stride", (), 0) == ()


@pytest.mark.parametrize("value", ["3", "33", 1.5, None, (1,), (1, 2, 3), (1, 2.0), (1, (2,)), 0, (1, 0), -1])
def test_anything_else_is_an_error_that_names_the_argument_and_the_value(value):
    with pytest.raises(ValueError, match=r"`stride`.*sequence of 2.*at least 1") as info:
        per_axis("stride", value, 2)
    assert repr(value) in str(info.value)


def test_the_least_number_may_be_another():
    assert per_axis("output_padding", 0, 2, minimum=0) == (0, 0)
    with pytest.raises(ValueError, match=r"`output_padding`.*at least 0"):
        per_axis("output_padding", -1, 2, minimum=0)


@pytest.mark.parametrize(
    ("value", "pads"),
    [
        (1, ((1, 1), (1, 1))),
        (-1, ((-1, -1), (-1, -1))),
        ([1, 2], ((1, 1), (2, 2))),
        ([(1, 2), (3, 4)], ((1, 2), (3, 4))),
        (((0, 2), [3, 0]), ((0, 2), (3, 0))),
        (np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
    ],
)
def test_padding_is_given_for_all_axes_or_for_each_axis_or_for_each_side(value, pads):
    found: Any = as_pads(value, 2)
    assert found == pads
    assert hash(found) == hash(pads)
    assert {type(item) for pair in found for item in pair} == {int}


def test_without_axes_there_is_no_padding():
    assert as_pads(3, 0) == as_pads([], 0) == ()


@pytest.mark.parametrize(
    "value", ["same", 1.0, None, (1,), (1, 2, 3), ((1, 2), 3), (3, (1, 2)), ((1, 2, 3), (1, 2, 3)), ((1, 2.5), (1, 2))]
)
def test_any_other_padding_is_an_error_that_shows_it(value):
    with pytest.raises(ValueError, match=r"`padding`.*2 integers.*2 pairs") as info:
        as_pads(value, 2)
    assert repr(value) in str(info.value)
