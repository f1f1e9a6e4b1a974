import inspect
import typing

import pytest

from equinox.internal import doc_remove_args, doc_repr


def function(a, b, c=3):
    """Return `b`."""
    return b


@pytest.fixture
def generating(monkeypatch):
    monkeypatch.setattr(typing, "GENERATING_DOCUMENTATION", True, raising=False)


def test_a_program_sees_nothing_of_it():
    assert doc_repr(function, "text") is function
    assert doc_remove_args("b")(function) is function
    assert list(inspect.signature(function).parameters) == ["a", "b", "c"]


def test_documentation_shows_the_text(generating):
    shown = doc_repr(function, "<text>")
    assert isinstance(shown, type)
    assert repr(shown) == "<text>"
    assert shown(1, b=2) == 2
    assert repr(doc_repr(3, "three")) == "three"


def test_documentation_shows_no_hidden_parameters(generating):
    @doc_remove_args("b", "c")
    def hidden(a, b, c=3):
        return b

    assert list(inspect.signature(hidden).parameters) == ["a"]
    assert hidden(1, 2) == 2
