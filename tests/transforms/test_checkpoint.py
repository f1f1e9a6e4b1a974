"""`filter_checkpoint`: same values, same gradients, and intermediate results that are computed again."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

x = jnp.array(0.5)


class Model(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.sin
    unhashable: typing.Any = None

    def __call__(self, x, *, scale=1.0):
        return scale * self.activation(self.weight * x)

    @eqx.filter_checkpoint
    def method(self, x):
        return self(x), self.activation

    @eqx.filter_checkpoint(prevent_cse=False)
    def method_with_options(self, x):
        return self(x)


def equations(jaxpr):
    return [equation for equation in jaxpr.eqns if "jaxpr" in equation.params and "policy" in equation.params]


def test_the_program_holds_one_equation_with_the_options():
    policy = jax.checkpoint_policies.everything_saveable
    for options in ({}, {"prevent_cse": False}, {"policy": policy}):
        jaxpr = jax.make_jaxpr(eqx.filter_checkpoint(lambda x: jnp.sin(jnp.sin(x)), **options))(x)
        (equation,) = equations(jaxpr)
        assert equation.params["prevent_cse"] is options.get("prevent_cse", True)
        assert equation.params["policy"] is options.get("policy")


def test_arrays_of_the_arguments_and_of_the_callable_are_inputs_of_that_equation():
    jaxpr = jax.make_jaxpr(lambda w, x, s: eqx.filter_checkpoint(Model(w))(x, scale=s))(x, x, x)
    (equation,) = equations(jaxpr)
    assert len(equation.invars) == 3
    assert not jaxpr.consts


def test_intermediate_results_are_not_stored():
    def stored(function):
        _, vjp = jax.vjp(function, jnp.ones(100))
        return sum(leaf.size for leaf in jax.tree.leaves(vjp))

    def function(x):
        for _ in range(5):
            x = jnp.sin(x)
        return x

    assert stored(function) >= 500
    assert stored(eqx.filter_checkpoint(function)) <= 200


def test_gradients_are_those_of_the_function():
    model = Model(jnp.array([1.0, 2.0]))

    def loss(model, x, wrap):
        return jnp.sum(wrap(model)(x) ** 2)

    expected = eqx.filter_value_and_grad(loss)(model, x, lambda model: model)
    found = eqx.filter_value_and_grad(loss)(model, x, eqx.filter_checkpoint)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(found[1].weight, expected[1].weight, rtol=1e-6)
    np.testing.assert_allclose(expected[1].weight, 2 * np.sin([0.5, 1.0]) * np.cos([0.5, 1.0]) * 0.5, rtol=1e-5)
    of_compiled = eqx.filter_jit(eqx.filter_grad(loss))(model, x, eqx.filter_checkpoint)
    np.testing.assert_allclose(of_compiled.weight, expected[1].weight, rtol=1e-6)


def test_what_is_no_array_reaches_the_function_and_comes_out_as_it_is():
    marker, unhashable = object(), {1}
    seen = []

    @eqx.filter_checkpoint
    def function(x, *args, **kwargs):
        seen.append((x, args, kwargs))
        return {"out": x + 1, "marker": marker, "args": args}

    out = function(x, 2.0, "text", option=unhashable)
    assert isinstance(seen[0][0], jax.core.Tracer)
    assert seen[0][1] == (2.0, "text")
    assert seen[0][2]["option"] is unhashable
    assert out["out"] == 1.5
    assert out["marker"] is marker
    assert out["args"] == (2.0, "text")
    assert type(out["args"][0]) is float


def test_numpy_arrays_are_traced_and_come_out_as_arrays_of_jax():
    out, is_tracer = eqx.filter_checkpoint(lambda a: (2 * a, isinstance(a, jax.core.Tracer)))(np.ones(2))
    assert is_tracer is True
    assert isinstance(out, jax.Array)


def test_static_parts_of_the_callable_need_no_hash():
    assert eqx.filter_checkpoint(Model(x, unhashable={1}))(x) == jnp.sin(0.25)


def test_methods_bind():
    model = Model(jnp.array(2.0))
    value, activation = model.method(x)
    assert activation is jnp.sin
    np.testing.assert_allclose(value, np.sin(1.0), rtol=1e-6)
    assert eqx.tree_equal(Model.method(model, x), model.method(x))
    np.testing.assert_allclose(model.method_with_options(x), np.sin(1.0), rtol=1e-6)
    np.testing.assert_allclose(eqx.filter_grad(lambda m: m.method(x)[0])(model).weight, 0.5 * np.cos(1.0), rtol=1e-6)


def test_options_that_do_not_exist_are_rejected():
    with pytest.raises(TypeError, match="static_argnums"):
        eqx.filter_checkpoint(lambda x: x, static_argnums=0)


def test_it_works_in_a_loop_and_in_other_transformations():
    model = eqx.filter_checkpoint(Model(jnp.array(2.0)))

    def loop(x):
        return jax.lax.scan(lambda x, _: (model(x), None), x, None, length=3)[0]

    expected = jax.grad(lambda x: jnp.sin(2 * jnp.sin(2 * jnp.sin(2 * x))))(x)
    np.testing.assert_allclose(jax.grad(loop)(x), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(model)(jnp.ones(2)), np.sin([2.0, 2.0]), rtol=1e-6)
    key = jax.random.key(0)
    assert eqx.filter_checkpoint(jax.random.normal)(key) == jax.random.normal(key)


def test_nothing_leaks():
    with jax.checking_leaks():
        jax.jit(jax.grad(lambda x: eqx.filter_checkpoint(Model(x))(x)))(x)
