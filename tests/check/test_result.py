from equinox.check import CallResult, Failure, Result

FAILURE = Failure("call", "ValueError", "message", None, (), None, "")


def test_a_call_is_ok_without_a_failure():
    assert CallResult("", None).ok
    assert not CallResult("", None, FAILURE).ok


def test_a_result_is_ok_if_nothing_failed_in_building_or_in_any_call():
    assert Result("t").ok
    assert Result("t", calls=(CallResult("", None),)).ok
    assert not Result("t", failure=FAILURE).ok
    assert not Result("t", calls=(CallResult("", None), CallResult("", None, FAILURE))).ok
