import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox._runtime.assert_dce import assert_dce


def test_what_is_not_used_is_no_error() -> None:
    @eqx.filter_jit
    def function(x):
        assert_dce((x + 1, "text"), "it is used")
        return x

    assert function(jnp.array(1.0)) == 1


def test_what_is_used_is_an_error() -> None:
    @eqx.filter_jit
    def function(x):
        y, _ = assert_dce((x + 1, "text"), "it is used")
        return x + y

    with pytest.raises(eqx.EquinoxRuntimeError, match="it is used"):
        function(jnp.array(1.0))


def test_how_to_react_can_be_chosen() -> None:
    @eqx.filter_jit
    def function(x, on_error):
        return assert_dce(x, "it is used", on_error=on_error)

    assert jnp.isnan(function(jnp.array(1.0), "nan"))
    assert function(jnp.array(1.0), "off") == 1


def test_nothing_happens_outside_of_jit() -> None:
    x = jnp.array(1.0)
    assert assert_dce(x, "it is used") is x
