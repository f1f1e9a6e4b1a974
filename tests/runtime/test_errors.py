import copy
import pickle
import traceback

import pytest

import equinox as eqx


@pytest.mark.parametrize("kind", [eqx.EquinoxRuntimeError, eqx.EquinoxTracetimeError])
def test_one_except_suffices_for_both(kind: type[Exception]) -> None:
    assert issubclass(kind, eqx.EquinoxRuntimeError)
    assert issubclass(kind, RuntimeError)


def test_tracebacks_print_the_bare_name() -> None:
    error = eqx.EquinoxRuntimeError("message")
    assert traceback.format_exception_only(error) == ["EquinoxRuntimeError: message\n"]


@pytest.mark.parametrize("kind", [eqx.EquinoxRuntimeError, eqx.EquinoxTracetimeError])
def test_they_can_be_sent_to_other_processes(kind: type[Exception]) -> None:
    error = kind("message")
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is kind
        assert copied.args == ("message",)
