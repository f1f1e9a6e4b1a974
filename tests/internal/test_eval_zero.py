import jax
import jax.numpy as jnp
import pytest

from equinox.internal import eval_empty, eval_zero


def never_computed(x, y):
    assert isinstance(x, jax.core.Tracer)
    return {"sum": x + y, "product": (x * y).astype(jnp.bfloat16)}


@pytest.mark.parametrize("make", [eval_zero, eval_empty])
def test_arrays_are_like_those_that_the_function_would_return(make):
    result = make(never_computed, jnp.ones((2, 1)), jnp.ones(3))
    assert result["sum"].shape == result["product"].shape == (2, 3)
    assert result["sum"].dtype == jnp.float32
    assert result["product"].dtype == jnp.bfloat16
    assert isinstance(result["sum"], jax.Array)


def test_zeros_are_zero():
    assert not eval_zero(never_computed, jnp.ones((2, 1)), jnp.ones(3))["sum"].any()


def test_what_is_no_array_may_be_an_argument():
    assert eval_zero(lambda f, x: f(x), jnp.sum, jnp.ones(3)) == 0


@pytest.mark.parametrize("make", [eval_zero, eval_empty])
def test_what_is_no_array_may_not_be_an_output(make):
    def function(x):
        return [x, {"name": "text"}]

    with pytest.raises(ValueError, match=r"`function`.*\[1\]\['name'\].*'text'"):
        make(function, jnp.ones(3))
