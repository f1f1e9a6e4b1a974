import jax.numpy as jnp
import numpy as np
import pytest

from equinox.internal import ContainerMeta


class Result(metaclass=ContainerMeta):
    """Outcomes."""

    done = "finished"
    stalled = "no progress"


def test_messages_are_numbered():
    assert (Result.done, Result.stalled) == (0, 1)
    assert Result[Result.stalled] == "no progress"
    assert len(Result) == 2
    assert Result.reverse_lookup == ["finished", "no progress"]
    assert Result.__doc__ == "Outcomes."


@pytest.mark.parametrize("instance", [0, 7, np.int64(1), jnp.array(1), np.array(2)])
def test_integers_are_instances(instance):
    assert isinstance(instance, Result)


@pytest.mark.parametrize("other", [1.0, "done", jnp.array([1]), jnp.array(1.0), None])
def test_nothing_else_is(other):
    assert not isinstance(other, Result)


def test_a_message_is_a_string():
    with pytest.raises(ValueError, match=r"`Wrong`.*`a`"):
        ContainerMeta("Wrong", (), {"a": 1})
