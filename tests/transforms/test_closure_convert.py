"""`filter_closure_convert`: what a function refers to becomes leaves of a PyTree."""

import functools as ft
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Jaxpr

import equinox as eqx

Struct = jax.ShapeDtypeStruct
x = jnp.arange(3.0)
strong = jnp.array(2.0, jnp.float32)


class Model(eqx.Module):
    weight: typing.Any

    def __call__(self, x):
        return self.weight * x

    def method(self, x):
        return self.weight * x


def closed(y, text="text", *, scale=1.0):
    """Refers to nothing but globals."""
    closed_calls.append(y)
    return {"y": y * scale, "text": text}


closed_calls: list[typing.Any] = []


def refers_to(weight):
    def function(y, text="text", *, scale=1.0):
        return {"y": y * scale * weight, "text": text}

    return function


# What it is turned into


def test_what_the_function_refers_to_becomes_leaves():
    weight = jnp.array([1.0, 2.0, 3.0])
    converted = eqx.filter_closure_convert(refers_to(weight), x)
    (const,) = converted.consts
    assert const is weight
    assert isinstance(converted.consts, list)
    assert isinstance(converted.jaxpr, Jaxpr)
    assert isinstance(converted, eqx.Module)
    jaxpr, leaf = jax.tree.leaves(converted)
    assert jaxpr is converted.jaxpr
    assert leaf is weight
    assert len(converted.jaxpr.constvars) == 1
    assert [var.aval.shape for var in converted.jaxpr.invars] == [(3,)]


def test_leaves_can_be_replaced():
    converted = eqx.filter_closure_convert(refers_to(x), x)
    other = eqx.tree_at(lambda c: c.consts, converted, [10 * x])
    np.testing.assert_array_equal(other(x)["y"], 10 * x * x)
    without = eqx.tree_at(lambda c: c.jaxpr, converted, "jaxpr")
    assert without.jaxpr == "jaxpr"
    back = eqx.tree_at(lambda c: c.jaxpr, without, converted.jaxpr)
    np.testing.assert_array_equal(back(x)["y"], x * x)


@pytest.mark.parametrize(
    "function",
    [Model(x), Model(x).method, eqx.Partial(jnp.multiply, x), ft.partial(jnp.multiply, x), jax.jit(lambda y: x * y)],
    ids=["module", "method", "Partial", "partial", "jit"],
)
def test_every_callable_that_is_no_plain_function_is_traced(function):
    converted = eqx.filter_closure_convert(function, x)
    assert isinstance(jax.tree.leaves(converted)[0], Jaxpr)
    np.testing.assert_array_equal(converted(2 * x), 2 * x * x)


def test_a_function_that_refers_to_nothing_is_kept_and_not_traced():
    closed_calls.clear()
    converted = eqx.filter_closure_convert(closed, x, scale=2.0)
    assert closed_calls == []
    assert jax.tree.leaves(converted) == [closed]
    assert converted.fn is closed
    np.testing.assert_array_equal(converted(x, scale=2.0)["y"], 2 * x)
    assert closed_calls[0] is x


def test_a_function_that_refers_to_something_is_traced_once():
    calls = []

    def function(y):
        calls.append(y)
        return 2 * y

    converted = eqx.filter_closure_convert(function, x)
    assert len(calls) == 1
    assert isinstance(calls[0], jax.core.Tracer)
    for _ in range(2):
        np.testing.assert_array_equal(converted(x), 2 * x)
        assert converted.out_struct == Struct((3,), jnp.float32)
    assert len(calls) == 1


@pytest.mark.parametrize("function", [closed, refers_to(strong)])
def test_both_forms_say_what_goes_in_and_what_comes_out(function):
    converted = eqx.filter_closure_convert(function, {"a": x}["a"], "other", scale=np.float32(2.0))
    struct = Struct((3,), jnp.float32)
    assert converted.in_struct == ((struct, "other"), {"scale": Struct((), jnp.float32)})
    assert converted.out_struct == {"y": struct, "text": "other"}
    assert isinstance(converted.jaxpr, Jaxpr)
    assert [const is strong for const in converted.consts] == ([] if function is closed else [True])


def test_structs_that_the_function_returns_come_out_as_they_are():
    struct = Struct((7,), jnp.int8)
    converted = eqx.filter_closure_convert(lambda y: (y * strong, struct, jnp.tanh), x)
    for output in (converted.out_struct, converted(x)):
        assert output[1] is struct
        assert output[2] is jnp.tanh


def test_converting_twice_is_the_same_as_once():
    once = eqx.filter_closure_convert(refers_to(x), x)
    twice = eqx.filter_closure_convert(once, x)
    assert twice.consts[0] is x
    np.testing.assert_array_equal(twice(x)["y"], x * x)


# The example arguments


def test_structs_do_for_an_example():
    converted = eqx.filter_closure_convert(refers_to(x), Struct((3,), jnp.float32))
    np.testing.assert_array_equal(converted(x)["y"], x * x)
    np.testing.assert_array_equal(converted(np.arange(3, dtype=np.float32))["y"], x * x)


def test_nothing_need_be_passed():
    np.testing.assert_array_equal(eqx.filter_closure_convert(lambda: strong * 2)(), 4.0)


def test_weak_types_do_not_count_in_a_call_but_do_in_the_program():
    weak = jnp.asarray(1.0)
    half = jnp.ones((), jnp.float16)
    for example in (weak, jnp.ones(())):
        converted = eqx.filter_closure_convert(lambda y: y * half, example)
        assert converted.in_struct == ((Struct((), jnp.float32),), {})
        expected = (example * half).dtype
        assert converted.out_struct.dtype == expected
        for y in (weak, jnp.ones(())):
            assert converted(y).dtype == expected


def test_wide_numpy_arrays_count_as_what_jax_makes_of_them():
    converted = eqx.filter_closure_convert(lambda y: y * strong, np.ones(3))
    assert converted(np.ones(3)).dtype == converted(x).dtype == jnp.float32


def test_static_arguments_need_not_be_hashable():
    converted = eqx.filter_closure_convert(lambda y, names: (y * strong, sorted(names)), x, {"a", "b"})
    assert converted(x, {"b", "a"})[1] == ["a", "b"]
    with pytest.raises(ValueError, match=r"'c'"):
        converted(x, {"c"})


MISMATCHES = {
    "shape": ((jnp.ones(4), "text"), {}),
    "dtype": ((jnp.arange(3), "text"), {}),
    "Python number": ((1.0, "text"), {}),
    "struct": ((Struct((3,), jnp.float32), "text"), {}),
    "structure": (([x], "text"), {}),
    "number of arguments": ((x,), {}),
    "keyword": ((x,), {"text": "text"}),
    "array in place of something static": ((x, x), {}),
}


@pytest.mark.parametrize("function", [closed, refers_to(strong)])
@pytest.mark.parametrize("mismatch", MISMATCHES)
def test_other_arrays_than_those_of_the_example_are_an_error_that_shows_both(function, mismatch):
    converted = eqx.filter_closure_convert(function, x, "text")
    args, kwargs = MISMATCHES[mismatch]
    with pytest.raises(ValueError, match="other arrays") as info:
        converted(*args, **kwargs)
    shown = str(info.value).split("Called with", 1)[1]
    assert "((f32[3], None), {})" in shown
    assert function.__name__ in str(info.value)
    if mismatch == "dtype":
        assert "i32[3]" in shown


@pytest.mark.parametrize("function", [closed, refers_to(strong)])
@pytest.mark.parametrize("other", ["other", 3, None])
def test_other_static_arguments_than_those_of_the_example_are_an_error_that_shows_both(function, other):
    converted = eqx.filter_closure_convert(function, x, "text")
    with pytest.raises(ValueError, match="no arrays" if other is not None else "other arrays") as info:
        converted(x, other)
    if other is not None:
        assert f"((None, {other!r}), {{}})" in str(info.value)
        assert "((None, 'text'), {})" in str(info.value)


def test_what_cannot_be_called_is_rejected():
    with pytest.raises(TypeError, match=r"filter_closure_convert.*int"):
        eqx.filter_closure_convert(3, x)


# Across other transformations


def test_gradients_flow_into_what_the_function_refers_to():
    def loss(weight):
        return jnp.sum(eqx.filter_closure_convert(refers_to(weight), x)(x)["y"])

    np.testing.assert_array_equal(jax.grad(loss)(x), x)
    np.testing.assert_array_equal(jax.jit(jax.grad(loss))(x), x)
    converted = eqx.filter_closure_convert(refers_to(x), x)
    gradient = eqx.filter_grad(lambda converted: jnp.sum(converted(x)["y"]))(converted)
    np.testing.assert_array_equal(gradient.consts[0], x)
    assert gradient.jaxpr is None


def test_tracers_become_leaves():
    @jax.jit
    def function(weight):
        converted = eqx.filter_closure_convert(refers_to(weight), x)
        assert converted.consts[0] is weight
        return converted.consts, converted(x)["y"]

    (const,), y = function(2 * x)
    np.testing.assert_array_equal(const, 2 * x)
    np.testing.assert_array_equal(y, 2 * x * x)
    stacked = jax.vmap(lambda weight: eqx.filter_closure_convert(refers_to(weight), strong).consts)(x)
    np.testing.assert_array_equal(stacked[0], x)


def test_it_crosses_other_transformations():
    converted = eqx.filter_closure_convert(refers_to(x), x)
    np.testing.assert_array_equal(eqx.filter_jit(lambda c, y: c(y)["y"])(converted, x), x * x)
    back = eqx.filter_jit(lambda c: c)(converted)
    assert back.jaxpr is converted.jaxpr
    np.testing.assert_array_equal(back(x)["y"], x * x)

    # As libraries do that have their own way to keep a program out of sight.
    dynamic, static = eqx.partition(converted, eqx.is_array)

    @jax.custom_jvp
    def function(dynamic, y):
        return eqx.combine(dynamic, static)(y)["y"]

    function.defjvp(lambda primals, tangents: (function(*primals), 5 * tangents[0].consts[0]))
    np.testing.assert_array_equal(jax.jvp(lambda d: function(d, x), (dynamic,), (dynamic,))[1], 5 * x)
    scanned = jax.lax.scan(
        lambda carry, d: (carry, eqx.combine(d, static)(x)["y"]), 0.0, jax.tree.map(lambda c: c[None], dynamic)
    )
    np.testing.assert_array_equal(scanned[1][0], x * x)


def test_a_program_of_the_same_function_for_other_arrays_is_not_traced_again():
    traces = []

    @eqx.filter_jit
    def function(converted, y):
        traces.append(y)
        return converted(y)["y"]

    converted = eqx.filter_closure_convert(refers_to(x), x)
    for factor in (1, 2):
        other = eqx.tree_at(lambda c: c.consts, converted, [factor * x])
        np.testing.assert_array_equal(function(other, x), factor * x * x)
    assert len(traces) == 1


def test_rules_of_custom_derivatives_stay():
    @jax.custom_jvp
    def function(y, weight):
        return y * weight

    function.defjvp(lambda primals, tangents: (function(*primals), 7 * tangents[0]))
    converted = eqx.filter_closure_convert(lambda y: function(y, strong), strong)
    assert jax.grad(converted)(strong) == 7
