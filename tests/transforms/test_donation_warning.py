"""One warning is silenced for as long as any thread wants it to be, and nothing of that is left afterwards."""

import threading
import warnings

import pytest

from equinox._transforms.donation_warning import silenced_donation_warning


def warn(text="Some donated buffers were not usable: float32[2]"):
    with warnings.catch_warnings(record=True) as caught:
        # As the filters are, but without turning warnings into errors.
        warnings.filterwarnings("always", append=True)
        filters = [entry for entry in warnings.filters if entry[0] != "error"]
        warnings.filters[:] = filters
        warnings.warn(text, UserWarning, stacklevel=2)
    return len(caught)


def test_the_warning_is_silenced_inside_only():
    assert warn() == 1
    with silenced_donation_warning():
        assert warn() == 0
        with silenced_donation_warning():
            assert warn() == 0
        assert warn() == 0
    assert warn() == 1


def test_other_warnings_are_not_silenced():
    with silenced_donation_warning():
        assert warn("Something else") == 1


def test_the_filters_are_put_back():
    before = list(warnings.filters)
    with silenced_donation_warning():
        assert warnings.filters != before
    assert warnings.filters == before


def test_the_filters_are_put_back_after_an_error():
    before = list(warnings.filters)
    with pytest.raises(LookupError), silenced_donation_warning():
        raise LookupError
    assert warnings.filters == before


def test_overlapping_threads_leave_nothing_behind():
    before = list(warnings.filters)
    inside, may_leave = threading.Event(), threading.Event()

    def other():
        with silenced_donation_warning():
            inside.set()
            assert may_leave.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(30)
    with silenced_donation_warning():
        may_leave.set()
        thread.join(30)
        assert warn() == 0
    assert warnings.filters == before


def test_filters_that_someone_else_put_back_are_left_alone():
    before = list(warnings.filters)
    with warnings.catch_warnings():
        context = silenced_donation_warning()
        context.__enter__()
    assert warnings.filters == before
    context.__exit__(None, None, None)
    assert warnings.filters == before
