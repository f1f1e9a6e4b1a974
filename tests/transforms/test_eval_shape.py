"""`filter_eval_shape`: shapes and dtypes without computing anything."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

Struct = jax.ShapeDtypeStruct
x = jnp.ones((2, 3))


class Model(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh

    def __call__(self, x):
        return self.activation(self.weight @ x)


def test_arrays_become_structs_and_the_rest_comes_out_as_it_is():
    thing = object()
    found = eqx.filter_eval_shape(lambda y: (y.T, np.ones(2, np.int32), thing, "text", 3, None), x)
    assert found == (Struct((3, 2), jnp.float32), Struct((2,), jnp.int32), thing, "text", 3, None)
    assert found[2] is thing


def test_what_is_no_array_reaches_the_function_as_it_is():
    def function(n, text, function, *, flag):
        assert (type(n), text, type(flag)) == (int, "text", bool)
        assert function is jnp.tanh
        return jnp.zeros(n)

    assert eqx.filter_eval_shape(function, 3, "text", jnp.tanh, flag=True) == Struct((3,), jnp.float32)


def test_nothing_is_computed():
    huge = Struct((10**9, 10**9), jnp.float32)
    assert eqx.filter_eval_shape(lambda a, b: a @ b, huge, huge) == huge
    seen = []
    eqx.filter_eval_shape(seen.append, x)
    assert isinstance(seen[0], jax.core.Tracer)


def test_structs_stand_for_arrays_in_every_argument():
    found = eqx.filter_eval_shape(lambda a, *, b: a @ b["b"], Struct((2, 3), jnp.float32), b={"b": x.T})
    assert found == Struct((2, 2), jnp.float32)


def test_structs_that_the_function_returns_come_out_as_they_are():
    struct = Struct((7,), jnp.int8)
    assert eqx.filter_eval_shape(lambda: (struct, x))[0] is struct


def test_the_arrays_of_the_callable_are_abstract():
    model = Model(Struct((10**6, 10**6), jnp.float32))
    assert eqx.filter_eval_shape(model, Struct((10**6,), jnp.float32)) == Struct((10**6,), jnp.float32)
    assert eqx.filter_eval_shape(Model(x), x[0]) == Struct((2,), jnp.float32)
    assert eqx.filter_eval_shape(Model(x).__call__, x[0]) == Struct((2,), jnp.float32)


def test_a_class_gives_a_model_of_structs():
    class Layer(eqx.Module):
        weight: jax.Array
        size: int
        activation: typing.Any

        def __init__(self, size, activation, *, key):
            self.weight = jax.random.normal(key, (size, size))
            self.size = size
            self.activation = activation

    layer = eqx.filter_eval_shape(Layer, 10**6, jnp.tanh, key=jax.random.key(0))
    assert type(layer) is Layer
    assert layer.weight == Struct((10**6, 10**6), jnp.float32)
    assert layer.size == 10**6
    assert layer.activation is jnp.tanh
    assert eqx.filter_eval_shape(Layer, 3, jnp.tanh, key=Struct((2,), jnp.uint32)).weight.shape == (3, 3)


def test_weak_types_are_kept():
    weak, strong = jnp.asarray(1.0), jnp.ones(())
    for y in (weak, strong, Struct((), jnp.float32, weak_type=True), Struct((), jnp.float32)):
        found = eqx.filter_eval_shape(lambda y: (y, y * 2), y)
        assert [struct.weak_type for struct in found] == [bool(getattr(y, "weak_type", False))] * 2


def test_key_arrays_keep_their_dtype():
    keys = jax.random.split(jax.random.key(0))
    assert eqx.filter_eval_shape(lambda keys: keys[0], keys) == Struct((), keys.dtype)


def test_every_keyword_can_be_passed_on():
    def function(**kwargs):
        return kwargs

    kwargs = {"fun": 1, "args": 2, "kwargs": 3}
    assert eqx.filter_eval_shape(function, **kwargs) == kwargs
    with pytest.raises(TypeError, match="positional"):
        eqx.filter_eval_shape(fun=function)


def test_it_works_inside_other_transformations():
    @jax.jit
    def function(y):
        struct, scale = eqx.filter_eval_shape(lambda z: (y * z, 2), y)
        return jnp.zeros(struct.shape, struct.dtype) + scale

    np.testing.assert_array_equal(function(x), jnp.full((2, 3), 2.0))
    assert jax.vmap(lambda y: jnp.zeros(eqx.filter_eval_shape(lambda: y).shape))(x).shape == (2, 3)
    assert jax.grad(lambda y: y * eqx.filter_eval_shape(lambda: (y, 3.0))[1])(1.0) == 3


def test_errors_of_the_function_come_out():
    with pytest.raises(ValueError, match="Incompatible shapes"):
        eqx.filter_eval_shape(jnp.add, x, jnp.ones(7))


def test_what_cannot_be_called_is_named():
    with pytest.raises(TypeError, match=r"`filter_eval_shape` needs a callable .*`int`"):
        eqx.filter_eval_shape(3)
