"""What a layer with a state is."""

import pytest

import equinox as eqx
from equinox.nn._stateful import is_stateful


class Counter(eqx.nn.StatefulLayer):
    def __call__(self, x, state, *, key=None):
        return x, state + 1


class Optional(Counter):
    flag: bool

    def is_stateful(self):
        return self.flag


class Unfinished(eqx.nn.StatefulLayer):
    pass


@pytest.mark.parametrize("kind", [eqx.nn.StatefulLayer, Unfinished])
def test_without_a_call_it_is_abstract(kind):
    with pytest.raises(TypeError, match="__call__"):
        kind()


def test_it_is_stateful_unless_it_says_otherwise():
    assert Counter().is_stateful() is True
    assert is_stateful(Counter())
    assert is_stateful(Optional(True))
    assert not is_stateful(Optional(False))


def test_only_layers_that_inherit_from_it_are_stateful():
    class Similar(eqx.Module):
        def is_stateful(self):
            return True

    assert not is_stateful(Similar())
    assert not is_stateful(len)
