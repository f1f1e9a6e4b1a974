import dataclasses

import pytest

import equinox as eqx


def test_a_report_cannot_be_changed_and_says_what_is_in_it():
    report = eqx.LoadReport(matched=("a",), missing=(), unexpected=("b",))
    assert repr(report) == "LoadReport(matched=('a',), missing=(), unexpected=('b',))"
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.matched = ()
