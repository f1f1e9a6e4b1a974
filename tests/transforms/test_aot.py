"""`aot`: the methods of compiled functions that compile without calling, as type checkers see them."""

import functools as ft

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx


def scale(x: jax.Array, factor: float = 2.0) -> jax.Array:
    return factor * x


def compilations() -> list[object]:
    return [
        eqx.filter_jit(scale),
        eqx.jitf(scale, filter_fn=eqx.is_array),
        eqx.filter_jit(donate="all")(scale),
        ft.partial(eqx.jitf, filter_fn=eqx.is_array)(scale),
    ]


class Scale(eqx.Module):
    factor: jax.Array

    @eqx.filter_jit
    def times(self, x: jax.Array) -> jax.Array:
        return self.factor * x

    @eqx.filter_jit
    def __call__(self, x: jax.Array) -> jax.Array:
        return self.factor * x

    def plain(self, x: jax.Array) -> jax.Array:
        return self.factor * x


@pytest.mark.parametrize("compiled", compilations())
def test_aot_returns_its_argument_itself(compiled):
    assert eqx.aot(compiled) is compiled


def test_the_result_can_be_called_like_the_function():
    assert (eqx.aot(eqx.filter_jit(scale))(jnp.arange(3.0), factor=3.0) == jnp.arange(3.0) * 3).all()


def test_what_is_lowered_and_compiled_takes_the_arguments_of_the_function():
    compiled = eqx.aot(eqx.filter_jit(scale)).lower(jnp.ones(3), factor=3.0).compile()
    assert (compiled(jnp.arange(3.0), factor=3.0) == jnp.array([0.0, 3.0, 6.0])).all()


def test_tracing_and_eval_shape_describe_the_output_without_computing_it():
    view = eqx.aot(eqx.filter_jit(scale))
    expected = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    assert view.eval_shape(jnp.ones((2, 3))) == expected
    assert view.trace(jnp.ones((2, 3))).out_info == expected
    assert len(view.trace(jnp.ones((2, 3))).jaxpr.jaxpr.invars) == 1


def test_clear_cache_makes_the_function_be_traced_again():
    traced = []

    @eqx.filter_jit
    def function(x: jax.Array) -> jax.Array:
        traced.append(x)
        return x

    function(jnp.ones(()))
    function(jnp.ones(()))
    assert len(traced) == 1
    eqx.aot(function).clear_cache()
    function(jnp.ones(()))
    assert len(traced) == 2


def test_a_bound_method_is_compiled_without_repeating_its_instance():
    model = Scale(jnp.array(2.0))
    compiled = eqx.aot(model.times).lower(jnp.ones(3)).compile()
    assert (compiled(jnp.arange(3.0)) == jnp.array([0.0, 2.0, 4.0])).all()


def test_a_method_read_from_its_class_takes_the_instance_as_an_argument():
    model = Scale(jnp.array(2.0))
    for method in (Scale.times, Scale.__call__):
        assert eqx.aot(method).lower(model, jnp.ones(())).compile()(model, jnp.array(3.0)) == 6


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(scale, id="a function"),
        pytest.param(jax.jit(scale), id="compiled by JAX"),
        pytest.param(eqx.filter_grad(eqx.filter_jit(scale)), id="a transformation of a compiled function"),
        pytest.param(Scale(jnp.array(2.0)), id="an instance whose call is compiled"),
        pytest.param(Scale(jnp.array(2.0)).plain, id="a method that is not compiled"),
        pytest.param(3, id="no function"),
    ],
)
def test_what_was_not_compiled_by_this_library_is_a_type_error_that_says_what_to_do(function):
    with pytest.raises(TypeError) as caught:
        eqx.aot(function)
    message = str(caught.value)
    assert "`fun`" in message
    assert "`aot`" in message
    assert type(function).__name__ in message
    assert "aot(filter_jit(fun))" in message
