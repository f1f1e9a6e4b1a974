"""How the failure of a check gets to the call that it belongs to."""

import pytest

import equinox as eqx
from equinox._runtime.failures import Failure, hand_over, recognise, report, waiting_for


def test_a_failure_is_recognised_in_whatever_text_jax_makes_of_it() -> None:
    failure = Failure("message", ())
    error = report(failure)
    assert recognise(RuntimeError(f"INTERNAL: error calling callback: {error} and more")) is failure
    assert recognise(RuntimeError("another error")) is None
    assert recognise(RuntimeError("[failed check 0]")) is None


def test_failures_that_nobody_asks_for_are_forgotten_in_the_end() -> None:
    first = report(Failure("first", ()))
    for _ in range(300):
        report(Failure("later", ()))
    assert recognise(first) is None


def test_a_failure_is_handed_over_to_those_who_wait_for_its_check() -> None:
    check, other = object(), object()
    failure = Failure("message", ())
    assert not hand_over(check, failure)
    with waiting_for({check}) as concerned, waiting_for({other}) as unconcerned, waiting_for({check, other}) as both:
        assert hand_over(check, failure)
        assert hand_over(other, Failure("later", ()))
    assert concerned.failure is failure
    assert both.failure is failure
    assert unconcerned.failure is not None
    assert unconcerned.failure.message == "later"
    assert not hand_over(check, failure)


def test_nobody_waits_any_more_after_an_error() -> None:
    check = object()
    with pytest.raises(KeyError), waiting_for({check}):
        raise KeyError
    assert not hand_over(check, Failure("message", ()))


def test_the_error_has_the_message_and_says_what_to_do() -> None:
    error = Failure("the message", ()).error()
    assert type(error) is eqx.EquinoxRuntimeError
    assert "the message" in str(error)
    assert "EQX_ON_ERROR" in str(error)
