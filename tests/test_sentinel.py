import inspect

from equinox._sentinel import Sentinel, sentinel
from tests.untyped import untyped


def test_it_is_equal_to_itself_only() -> None:
    assert sentinel == sentinel
    assert sentinel != Sentinel()
    assert untyped(sentinel) not in (None, ..., False)


def test_in_a_signature_it_abbreviates_the_default() -> None:
    def f(x: object = sentinel) -> None: ...

    assert str(inspect.signature(f)) == "(x: object = ...) -> None"
