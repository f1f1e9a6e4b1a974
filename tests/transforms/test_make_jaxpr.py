"""`filter_make_jaxpr`: the program of a function with any arguments and results."""

import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

import equinox as eqx

Struct = jax.ShapeDtypeStruct
x = jnp.ones((2, 3))


class Model(eqx.Module):
    weight: typing.Any

    def __call__(self, x):
        return self.weight @ x

    @eqx.filter_make_jaxpr
    def program(self, x, *, name):
        """What it does."""
        return self.weight @ x, name


def test_the_three_results_are_the_program_and_the_two_halves_of_the_output():
    struct, thing = Struct((), jnp.int8), object()

    def function(y, n, *, scale):
        return {"y": scale * y.T, "n": n, "struct": struct, "thing": thing}

    jaxpr, dynamic, static = eqx.filter_make_jaxpr(function)(x, 3, scale=np.float32(2.0))
    assert isinstance(jaxpr, ClosedJaxpr)
    assert dynamic == {"y": Struct((3, 2), jnp.float32), "n": None, "struct": None, "thing": None}
    assert static == {"y": None, "n": 3, "struct": struct, "thing": thing}
    assert static["thing"] is thing
    assert eqx.combine(dynamic, static)["struct"] is struct


def test_the_inputs_are_the_arrays_in_the_order_of_the_leaves():
    jaxpr, _, _ = eqx.filter_make_jaxpr(lambda *args, **kwargs: args[0])(
        Struct((1,), jnp.float32), "text", {"b": jnp.ones(3), "a": jnp.ones(2)}, d=np.ones(5), c=jnp.ones(4)
    )
    assert [aval.shape for aval in jaxpr.in_avals] == [(1,), (2,), (3,), (4,), (5,)]


def test_python_numbers_are_static():
    jaxpr, dynamic, static = eqx.filter_make_jaxpr(lambda n: (n, jnp.ones(n)))(3)
    assert jaxpr.in_avals == []
    assert (dynamic, static) == ((None, Struct((3,), jnp.float32)), (3, None))


def test_arrays_that_the_function_refers_to_are_constants():
    for function in (lambda y: x @ y, Model(x), Model(x).__call__, eqx.Partial(jnp.matmul, x)):
        jaxpr, _, _ = eqx.filter_make_jaxpr(function)(x[0])
        (const,) = jaxpr.consts
        assert const is x


def test_the_program_computes_what_the_function_computes():
    jaxpr, _, _ = eqx.filter_make_jaxpr(lambda y, n: (n, x @ y))(x[0], "text")
    (found,) = jaxpr_as_fun(jaxpr)(2 * x[0])
    np.testing.assert_array_equal(found, [6.0, 6.0])


def test_it_binds_like_a_function_and_looks_like_one():
    model = Model(x)
    for jaxpr, dynamic, static in (model.program(x[0], name="a"), Model.program(model, x[0], name="a")):
        assert (dynamic, static) == ((Struct((2,), jnp.float32), None), (None, "a"))
        assert len(jaxpr.in_avals) == 2  # the instance is the first argument
    assert Model.program.__name__ == model.program.__name__ == "program"
    assert model.program.__doc__ == "What it does."
    assert str(inspect.signature(model.program)) == "(x, *, name)"
    assert any(leaf is x for leaf in jax.tree.leaves(model.program))


def test_it_is_a_pytree_with_the_leaves_of_the_callable():
    made = eqx.filter_make_jaxpr(Model(x))
    (leaf,) = jax.tree.leaves(made)
    assert leaf is x
    assert made.__wrapped__.weight is x
    assert repr(made) == "filter_make_jaxpr(Model(weight=f32[2,3]))"


def test_it_works_inside_other_transformations():
    def function(y):
        jaxpr, _, _ = eqx.filter_make_jaxpr(lambda z: y * z)(x)
        return jaxpr_as_fun(jaxpr)(x)[0].sum()

    assert jax.jit(function)(2.0) == 12
    assert jax.grad(function)(2.0) == 6


def test_what_cannot_be_called_is_rejected():
    with pytest.raises(TypeError, match=r"filter_make_jaxpr.*int"):
        eqx.filter_make_jaxpr(3)
