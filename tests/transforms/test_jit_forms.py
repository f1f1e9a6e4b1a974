"""How a function becomes a compiled one, which callables can, and what the result looks like."""

import functools as ft
import inspect
import operator
import os
import pathlib
import subprocess
import sys
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.jit_variants import JIT


class Affine(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    activation: typing.Any = jax.nn.relu
    name: str = "affine"

    def __call__(self, x):
        return self.activation(self.weight * x + self.bias)

    def apply(self, x):
        return self(x)


def everything(leaf):
    return True


def nothing(leaf):
    return False


def is_tracer(leaf):
    return isinstance(leaf, jax.core.Tracer)


# How to apply it


def test_jitf_wants_precisely_one_of_filter_fn_and_filter_tree():
    for options in ({}, {"filter_fn": nothing, "filter_tree": True}):
        for arguments in ((), (lambda x: x,)):
            with pytest.raises(ValueError, match=r"(?s)filter_fn.*filter_tree"):
                eqx.jitf(*arguments, **options)


def test_filter_fn_must_be_callable():
    with pytest.raises(TypeError, match="`filter_fn` of `jitf`"):
        eqx.jitf(lambda x: x, filter_fn=typing.cast(typing.Any, True))


def test_the_forms_of_jitf_are_equal():
    @ft.partial(eqx.jitf, filter_fn=everything)
    def by_partial(x):
        return is_tracer(x)

    @eqx.jitf(filter_fn=everything)
    def by_factory(x):
        return is_tracer(x)

    @eqx.jitf(filter_tree=(True, False), static_argnums=2, donate_argnames="x")
    def with_options(x, y, z):
        return is_tracer(x), str(is_tracer(y)), str(is_tracer(z))

    direct = eqx.jitf(is_tracer, filter_fn=everything)
    assert all(function(1) for function in (by_partial, by_factory, direct))
    assert with_options(1, 2, 3) == (True, "False", "False")


def test_the_forms_of_filter_jit_are_equal():
    @eqx.filter_jit
    def plain(x):
        return str(is_tracer(x))

    @eqx.filter_jit(donate="all")
    def by_factory(x):
        return str(is_tracer(x))

    @ft.partial(eqx.filter_jit, donate="all")
    def by_partial(x):
        return str(is_tracer(x))

    assert plain(np.ones(2)) == by_factory(np.ones(2)) == by_partial(np.ones(2)) == "True"
    assert eqx.filter_jit(fun=len)([1, 2]) == 2


@pytest.mark.parametrize("jit", JIT)
def test_all_kinds_of_callables_can_be_compiled(jit):
    class Callable:
        def __call__(self, x):
            return 2 * x

        def method(self, x):
            return 2 * x

        @classmethod
        def of_class(cls, x):
            return 2 * x

    x = jnp.array([1.0, 2.0])
    model = Affine(jnp.array(2.0), jnp.array(0.0))
    doublers = [
        lambda x: 2 * x,
        ft.partial(operator.mul, 2),
        eqx.Partial(operator.mul, jnp.array(2.0)),
        Callable(),
        Callable().method,
        Callable.of_class,
        model,
        model.apply,
        ft.partial(model, x=x),
        jax.jit(lambda x: 2 * x),
        jax.vmap(lambda x: 2 * x),
        jit(lambda x: 2 * x),
        jit(model),
        jit(model.apply),
        operator.methodcaller("__mul__", 2),
        ft.partial(jnp.multiply, 2),
    ]
    for double in doublers:
        arguments = () if getattr(double, "keywords", None) else (x,)
        compiled = jit(double)
        for _ in range(2):
            np.testing.assert_array_equal(compiled(*arguments), [2.0, 4.0])


@pytest.mark.parametrize("jit", JIT)
def test_callables_without_a_signature_can_be_compiled(jit):
    for function in (max, dict):
        with pytest.raises(ValueError, match="signature"):
            inspect.signature(function)
    assert jit(max)([1, 3, 2]) == 3
    output = jit(dict)({"a": np.ones(2)}, b=jnp.array(2.0))
    assert output.keys() == {"a", "b"}
    assert isinstance(output["a"], jax.Array)


@pytest.mark.parametrize("jit", JIT)
def test_a_class_can_be_compiled_like_any_other_callable(jit):
    model = jit(Affine)(np.ones(2), jnp.zeros(2), name="made")
    assert type(model) is Affine
    assert isinstance(model.weight, jax.Array)
    assert model.name == "made"


@pytest.mark.parametrize("jit", JIT)
def test_what_cannot_be_called_cannot_be_compiled(jit):
    with pytest.raises(TypeError, match=r"callable.*`int`"):
        jit(3)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("arguments", [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})])
def test_calls_that_do_not_fit_the_signature_fail_as_they_do_in_python(jit, arguments):
    args, kwargs = arguments

    def function(x, y=0):
        return x

    with pytest.raises(TypeError) as expected:
        inspect.signature(function).bind(*args, **kwargs)
    compiled = jit(function)
    compiled(1)
    with pytest.raises(TypeError) as info:
        compiled(*args, **kwargs)
    assert str(info.value) == str(expected.value)


@pytest.mark.parametrize("jit", JIT)
def test_an_error_in_the_function_comes_through_and_leaves_nothing_behind(jit):
    should_fail = True

    @jit
    def function(x):
        if should_fail:
            raise LookupError("from the function")
        return x

    for x in (jnp.ones(2), jnp.ones(2)):
        with pytest.raises(LookupError, match="from the function"):
            function(x)
    should_fail = False
    np.testing.assert_array_equal(function(jnp.ones(2)), [1, 1])


@pytest.mark.parametrize("jit", JIT)
def test_a_failing_callback_is_the_error_that_jax_raises(jit):
    def fail(x):
        raise LookupError("from the callback")

    def function(x):
        return jax.pure_callback(fail, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    x = jnp.ones(2)
    with pytest.raises(Exception, match="from the callback") as expected:
        jax.block_until_ready(jax.jit(function)(x))
    compiled = jit(function)
    for _ in range(2):
        with pytest.raises(type(expected.value), match="from the callback"):
            jax.block_until_ready(compiled(x))


# What it looks like


@pytest.mark.parametrize("jit", JIT)
def test_the_result_looks_like_the_function(jit):
    def function(x: int, /, y: "str" = "text", *args: float, z: bool, **kwargs: complex) -> None:
        """What it does."""

    compiled = jit(function)
    assert compiled.__wrapped__ is function
    assert inspect.unwrap(compiled) is function
    assert inspect.signature(compiled) == inspect.signature(function)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(compiled, name) == getattr(function, name)


@pytest.mark.parametrize("jit", JIT)
def test_the_program_is_named_after_the_function(jit):
    def some_function(x):
        return x + 1

    def name(function):
        x = jnp.ones(2)
        (equation,) = jax.make_jaxpr(lambda x: [jit(function)(x)])(x).eqns
        assert f"@jit_{equation.params['name']}" in jit(function).lower(x).as_text()
        return equation.params["name"]

    model = Affine(jnp.array(2.0), jnp.array(0.0))
    assert name(some_function) == "some_function"
    assert name(ft.partial(some_function)) == "some_function"
    assert name(ft.partial(ft.partial(some_function))) == "some_function"
    assert name(eqx.Partial(some_function)) == "some_function"
    assert name(jax.jit(some_function)) == "some_function"
    assert name(jit(some_function)) == "some_function"
    assert name(model) == "Affine"
    assert name(model.apply) == "apply"
    assert name(ft.partial(model)) == "Affine"


@pytest.mark.parametrize("jit", JIT)
def test_the_result_has_the_leaves_of_the_function_and_no_others(jit):
    model = Affine(jnp.array(2.0), jnp.array(1.0))
    compiled = jit(model)
    assert [id(leaf) for leaf in jax.tree.leaves(compiled)] == [id(leaf) for leaf in jax.tree.leaves(model)]
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, compiled)
    assert doubled(3.0) == 14
    assert compiled(3.0) == 7


def test_the_result_can_be_an_argument_of_jax_jit():
    class Scale(eqx.Module):
        factor: jax.Array

        def __call__(self, x):
            return self.factor * x

    for jit in (eqx.filter_jit(donate="none"), ft.partial(eqx.jitf, filter_fn=eqx.is_array, static_argnums=())):
        compiled = jit(Scale(jnp.array(2.0)))
        assert jax.jit(lambda function, x: function(x))(compiled, 3.0) == 6
        assert jax.jit(lambda function: function)(compiled)(3.0) == 6


@pytest.mark.parametrize("jit", JIT)
def test_the_result_stays_what_it_is_when_it_crosses_a_transformation(jit):
    def function(x, y=1):
        """What it does."""
        return x + y

    @jit
    def identity(compiled):
        return compiled

    for compiled in (jit(function), identity(jit(function)), jax.tree.map(lambda leaf: leaf, jit(function))):
        assert compiled.__name__ == "function"
        assert compiled.__doc__ == "What it does."
        assert inspect.signature(compiled) == inspect.signature(function)
        assert compiled(jnp.array(1.0)) == 2
        assert compiled.lower(jnp.array(1.0)).compile()(jnp.array(1.0)) == 2


@pytest.mark.parametrize("jit", JIT)
def test_methods_can_be_compiled_in_the_class_body(jit):
    class Model(eqx.Module):
        weight: jax.Array
        power: int

        @jit
        def apply(self, x):
            """What it does."""
            assert is_tracer(self.weight)
            assert type(self.power) is int
            return (self.weight * x) ** self.power

        @jit
        def __call__(self, x):
            return self.apply(x)

    model = Model(jnp.array(2.0), 3)
    assert model.apply(jnp.array(1.0)) == Model.apply(model, jnp.array(1.0)) == 8
    assert model(jnp.array(1.0)) == 8
    assert Model.apply is vars(Model)["apply"]
    assert model.apply.__name__ == "apply"
    assert model.apply.__doc__ == "What it does."
    assert list(inspect.signature(model.apply).parameters) == ["x"]
    assert model.apply.lower(jnp.array(1.0)).compile()(jnp.array(1.0)) == 8


def test_a_compiled_method_belongs_to_any_class():
    class Plain:
        def __init__(self, factor):
            self.factor = factor

        @eqx.filter_jit
        def apply(self, x):
            return self.factor * x

    assert Plain(2).apply(np.ones(2)).tolist() == [2, 2]
    assert Plain(3).apply(np.ones(2)).tolist() == [3, 3]


@pytest.mark.parametrize("jit", JIT)
def test_compiled_static_and_class_methods_do_what_python_does(jit):
    class Model(eqx.Module):
        weight: jax.Array

        @staticmethod
        @jit
        def of_none(x):
            return 2 * x

        @classmethod
        @jit
        def of_class(cls, x):
            return cls(2 * x)

    model = Model(jnp.array(1.0))
    for owner in (model, Model):
        assert owner.of_none(jnp.array(1.0)) == 2
        assert owner.of_class(jnp.array(1.0)).weight == 2


def test_decorating_starts_no_backend():
    program = """
import equinox, functools, jax
from jax._src import xla_bridge

class Model(equinox.Module):
    @equinox.filter_jit(donate="all")
    def method(self, x):
        return x

equinox.filter_jit(Model().method)
functools.partial(equinox.jitf, filter_fn=equinox.is_array, static_argnums=0)(lambda x: x)
assert not xla_bridge.backends_are_initialized()
equinox.filter_jit(lambda x: x)(1)
assert xla_bridge.backends_are_initialized()
"""
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
