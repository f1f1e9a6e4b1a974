import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.internal import scan_trick


def test_calls_alternate_with_what_is_to_be_done_in_between():
    log: list[str] = []

    def double(x):
        log.append("traced")
        return 2 * x

    result = scan_trick(double, [lambda x: x + 1, lambda x: x - 3], jnp.array(1.0))
    assert result == 2 * (2 * (2 * 1 + 1) - 3)
    assert len(log) == 1


def test_there_may_be_nothing_in_between():
    assert scan_trick(lambda x: 2 * x, [], jnp.array(3)) == 6


def test_the_carry_may_hold_anything():
    def step(carry):
        x, function, name = carry
        return function(x), function, name

    x, function, name = scan_trick(step, [lambda carry: carry], (jnp.array(1.0), jnp.tanh, "name"))
    assert jnp.allclose(x, jnp.tanh(jnp.tanh(1.0)))
    assert (function, name) == (jnp.tanh, "name")


def test_a_carry_that_changes_its_type_is_an_error():
    with pytest.raises((TypeError, ValueError)):
        scan_trick(lambda x: x.astype(jnp.int32), [lambda x: x], jnp.array(1.0))


def test_it_can_be_transformed():
    def function(x):
        return scan_trick(jnp.sin, [lambda x: x**2], x)

    def plain(x):
        return jnp.sin(jnp.sin(x) ** 2)

    x = jnp.arange(3.0)
    assert jnp.allclose(jax.vmap(jax.grad(function))(x), jax.vmap(jax.grad(plain))(x))
    assert jnp.allclose(eqx.filter_jit(function)(x), plain(x))


def test_the_step_is_chosen_by_a_conditional_under_vmap_too():
    jaxpr = str(jax.make_jaxpr(jax.vmap(lambda x: scan_trick(jnp.sin, [jnp.cos], x)))(jnp.arange(3.0)))
    assert "branches" in jaxpr
    assert "select_n" not in jaxpr.partition("branches")[2]
