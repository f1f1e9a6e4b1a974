"""What JAX tells a derivative rule."""

import jax
import jax.numpy as jnp
import numpy as np

import equinox as eqx
from equinox._transforms.perturbation import as_arrays, first_place, is_reached, without_zero

x, y = jnp.array(2.0), jnp.array(3.0)


def reached(function, *args):
    """What is said of the results of a function of the first argument and others that do not change."""
    answers = []

    def ask(x):
        answers.append(is_reached(x, function(x, *args)))
        return x

    jax.jvp(ask, (x,), (x,))
    return answers[0]


def test_a_value_is_reached_if_its_tangent_is_not_symbolically_zero():
    assert reached(lambda x, y: [x, y, x * y, 0 * x, x > 0, jax.lax.stop_gradient(x)], y) == [
        True,
        False,
        True,
        True,
        False,
        False,
    ]
    assert reached(lambda x: []) == []


def test_what_is_no_array_is_not_reached():
    assert reached(lambda x: [1.0, "text", np.ones(2), x, jnp.array(1)]) == [False, False, False, True, False]


def test_the_answer_is_about_the_innermost_level():
    answers = []

    def outer(a):
        def inner(b):
            answers.append(is_reached(b, [a, b, a * b, 2 * a]))
            return b

        return jax.jvp(inner, (y,), (y,))[0] * a

    jax.jvp(outer, (x,), (x,))
    jax.grad(outer)(x)
    jax.jit(jax.grad(outer))(x)
    jax.vmap(outer)(jnp.ones(2))
    assert answers == 4 * [[False, True, True, False]]


def test_tangents_that_are_or_must_be_zero_become_none():
    seen = []

    @jax.custom_jvp
    def function(x, y, n):
        return x

    def rule(primals, tangents):
        seen.extend(map(without_zero, tangents))
        return primals[0], tangents[0]

    function.defjvp(rule, symbolic_zeros=True)
    jax.jvp(lambda x: function(x, y, 1), (x,), (y,))
    assert seen == [3, None, None]
    assert without_zero(np.zeros((), jax.dtypes.float0)) is None
    assert without_zero(1.0) == 1.0
    assert without_zero(None) is None


def test_python_numbers_become_concrete_arrays_and_arrays_stay_what_they_are():
    array = np.ones(2)

    def convert(_):
        number, same, traced = as_arrays([2.0, array, _])
        assert isinstance(number, jax.Array)
        assert not isinstance(number, jax.core.Tracer)
        assert number.weak_type
        assert same is array
        assert traced is _
        return number + _

    assert jax.jit(jax.grad(convert))(1.0) == 1


def test_the_first_leaf_is_named():
    class Model(eqx.Module):
        weight: jax.Array

        def __call__(self, x, *args, **kwargs):
            return x

    model = Model(x)
    assert first_place(model, (None,), {"a": None}, None) is None
    assert first_place(model, (None, (1, 2)), {"a": 1}, model) == "argument `args[0]`, leaf `[0]`"
    assert first_place(model, (), {"a": {"b": 1}}, model) == "argument `a`, leaf `['b']`"
    assert first_place(model, (), {}, model) == "leaf `.weight` of the function itself"
