"""`filter_jvp`: tangents that are `None`, on the way in and on the way out, and everything that is no array."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx

x, y = jnp.array(2.0), jnp.array(3.0)
float0 = np.zeros((), jax.dtypes.float0)


class Model(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    name: str = "model"

    def __call__(self, x):
        return jnp.tanh(self.weight * x) + self.bias


def is_tracer(leaf):
    return isinstance(leaf, jax.core.Tracer)


# What it computes


def test_tangents_agree_with_finite_differences():
    with jax.enable_x64(True):
        model = Model(jnp.array([0.3, -0.7]), jnp.array(0.1))
        direction = Model(jnp.array([1.0, 2.0]), jnp.array(-1.0), None)

        def moved(step):
            return Model(model.weight + step * direction.weight, model.bias + step * direction.bias)

        def function(model, x):
            return {"out": jnp.sum(model(x) ** 2)}

        value, tangent = eqx.filter_jvp(function, (model, 1.5), (direction, None))
        step = 1e-6
        difference = (function(moved(step), 1.5)["out"] - function(moved(-step), 1.5)["out"]) / (2 * step)
        np.testing.assert_allclose(value["out"], function(model, 1.5)["out"], rtol=1e-14)
        np.testing.assert_allclose(tangent["out"], difference, rtol=1e-8)


@settings(max_examples=20)
@given(*[st.floats(-3, 3, width=32) for _ in range(4)])
def test_tangents_are_linear_in_the_direction(a, b, first, second):
    def derivative(direction):
        return eqx.filter_jvp(lambda x, n: (jnp.sin(x) * n, n), (x, 3), (jnp.float32(direction), None))[1][0]

    combined = derivative(a * first + b * second)
    np.testing.assert_allclose(combined, a * derivative(first) + b * derivative(second), rtol=1e-4, atol=1e-4)


def test_complex_functions_have_complex_tangents():
    value, tangent = eqx.filter_jvp(lambda z: z**2, (jnp.array(1 + 1j),), (jnp.array(1j),))
    np.testing.assert_allclose(value, 2j)
    np.testing.assert_allclose(tangent, 2 * (1 + 1j) * 1j)


def test_python_and_numpy_numbers_may_have_tangents():
    for number in (2.0, np.float32(2.0), np.array(2.0, np.float32), x):
        for tangent in (1.0, np.float32(1.0), jnp.array(1.0)):
            assert eqx.filter_jvp(lambda a: a**2, (number,), (tangent,)) == (4, 4)


def test_keyword_arguments_are_passed_on_and_not_differentiated():
    marker = object()
    seen = []

    def function(a, *, factor, marker):
        seen.append((is_tracer(factor), marker))
        return a * factor

    assert eqx.filter_jvp(function, (x,), (x,), factor=y, marker=marker) == (6, 6)
    assert seen == [(False, marker)]


def test_the_callable_may_be_a_module():
    value, tangent = eqx.filter_jvp(Model(jnp.array(0.5), y), (x,), (jnp.array(1.0),))
    np.testing.assert_allclose(value, np.tanh(1.0) + 3, rtol=1e-6)
    np.testing.assert_allclose(tangent, 0.5 * (1 - np.tanh(1.0) ** 2), rtol=1e-6)


# What goes in


def test_primals_may_be_a_tuple_or_a_list_as_long_as_tangents_are_the_same():
    assert eqx.filter_jvp(lambda a, b: a * b, (x, y), (x, None)) == (6, 6)
    assert eqx.filter_jvp(lambda a, b: a * b, [x, y], [x, None]) == (6, 6)
    with pytest.raises(ValueError, match=r"(?s)`tangents`.*`primals`.*`tuple`.*`list`"):
        eqx.filter_jvp(lambda a, b: a * b, [x, y], (x, None))


@pytest.mark.parametrize(
    ("primals", "tangents", "place"),
    [
        ((x, y), (x,), "the root"),
        (({"a": (x, y)},), ({"a": None},), r"`\[0\]\['a'\]`"),
        (({"a": x},), ({"b": x},), r"`\[0\]`"),
        ((x,), ((x, y),), r"`\[0\]`"),
        ((Model(x, y),), ((x, y, None),), r"`\[0\]`"),
        (({"a": None},), ({"a": (None, None)},), r"`\[0\]\['a'\]`"),
    ],
)
def test_another_structure_of_tangents_is_an_error_that_names_the_place(primals, tangents, place):
    with pytest.raises(ValueError, match=f"`tangents`.*`primals`.*{place}"):
        eqx.filter_jvp(lambda *args: x, primals, tangents)


def test_none_among_the_primals_is_a_leaf_with_the_tangent_none():
    def function(a, b):
        assert b is None
        return 2 * a, b

    value, tangent = eqx.filter_jvp(function, (x, None), (x, None))
    assert value == (4, None)
    assert tangent == (4, None)


@pytest.mark.parametrize(
    ("primal", "tangent", "error"),
    [
        (x, jnp.ones(2), ValueError),
        (x, jnp.array(1), TypeError),
        (x, jnp.array(1.0, jnp.bfloat16), TypeError),
        (x, object(), TypeError),
        (x, "text", TypeError),
        ("text", "text", TypeError),
        (2, 1, TypeError),
        (jnp.array(2), jnp.array(1), TypeError),
    ],
)
def test_a_tangent_that_does_not_belong_to_the_primal_is_an_error(primal, tangent, error):
    with pytest.raises(error):
        eqx.filter_jvp(lambda a: a, (primal,), (tangent,))


@pytest.mark.parametrize("integer", [2, jnp.array(2), np.array(2)])
def test_integers_may_have_the_tangent_that_jax_gives_them(integer):
    assert eqx.filter_jvp(lambda a, n: (a * n, n), (x, integer), (x, float0)) == ((4, 2), (4, None))
    seen = []
    assert eqx.filter_jvp(lambda n: (seen.append(n), 2 * n)[1], (integer,), (float0,)) == (4, None)
    assert seen[0] is integer


def test_only_leaves_with_tangents_are_traced():
    seen = []

    def function(*args):
        seen.append(args)
        return args[0]

    text = "text"
    eqx.filter_jvp(function, (x, y, text, 1.0), (x, None, None, None))
    (traced, *others) = seen[0]
    assert is_tracer(traced)
    assert others[0] is y
    assert others[1] is text
    assert others[2] == 1.0


# What comes out

UNREACHED = {
    "string": lambda a, b: "text",
    "function": lambda a, b: jnp.sin,
    "python number": lambda a, b: 1.5,
    "integer array": lambda a, b: jnp.array(1),
    "numpy array": lambda a, b: np.array(1.5),
    "constant": lambda a, b: jnp.array(1.5),
    "zeros like": lambda a, b: jnp.zeros_like(a),
    "stop_gradient": lambda a, b: jax.lax.stop_gradient(a),
    "comparison": lambda a, b: a > 0,
    "floor": lambda a, b: jnp.floor(a),
    "cast to integer": lambda a, b: a.astype(int),
    "primal without tangent": lambda a, b: b,
    "function of one": lambda a, b: jnp.sin(b) * 2,
    "compiled": lambda a, b: jax.jit(lambda a, b: (a, 2 * b))(a, b)[1],
    "stopped in compiled": lambda a, b: jax.jit(jax.lax.stop_gradient)(a),
    "cond": lambda a, b: jax.lax.cond(b > 0, lambda a, b: (a, b), lambda a, b: (2 * a, 2 * b), a, b)[1],
    "scan": lambda a, b: jax.lax.scan(lambda c, _: ((c[0] ** 2, c[1]), None), (a, b), None, length=2)[0][1],
    "key": lambda a, b: jax.random.key(0),
}
REACHED = {
    "itself": lambda a, b: a,
    "product": lambda a, b: a * b,
    "product with zero": lambda a, b: 0 * a,
    "compiled": lambda a, b: jax.jit(lambda a, b: (a * b, b))(a, b)[0],
    "cond": lambda a, b: jax.lax.cond(b > 0, lambda a, b: (a, b), lambda a, b: (2 * a, 2 * b), a, b)[0],
    "scan": lambda a, b: jax.lax.scan(lambda c, _: ((c[0] ** 2, c[1]), None), (a, b), None, length=2)[0][0],
    "vmap": lambda a, b: jax.vmap(lambda b: a * b)(jnp.stack([b, b])),
    "grad": lambda a, b: jax.grad(lambda b: a * b**2)(b),
}


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("name", UNREACHED)
def test_what_the_change_does_not_reach_has_the_tangent_none(name, is_compiled):
    transform = eqx.filter_jit if is_compiled else lambda f: f
    value, tangent = transform(lambda x, y: eqx.filter_jvp(UNREACHED[name], (x, y), (x, None)))(x, y)
    assert tangent is None
    assert value is not None


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("name", REACHED)
def test_what_the_change_reaches_has_an_array_for_a_tangent(name, is_compiled):
    transform = eqx.filter_jit if is_compiled else lambda f: f
    value, tangent = transform(lambda x, y: eqx.filter_jvp(REACHED[name], (x, y), (x, None)))(x, y)
    assert isinstance(tangent, jax.Array)
    assert tangent.shape == value.shape


def test_values_and_tangents_have_the_structure_of_the_output():
    def function(a, b):
        return {"model": Model(a * b, b, "output"), "list": [a, None, 1, "text"]}

    value, tangent = eqx.filter_jvp(function, (x, y), (jnp.array(1.0), None))
    assert eqx.tree_equal(value, {"model": Model(x * y, y, "output"), "list": [x, None, 1, "text"]})
    assert eqx.tree_equal(
        tangent, {"model": Model(y, None, None), "list": [jnp.array(1.0), None, None, None]}, typematch=False
    )


def test_what_is_no_jax_array_comes_out_as_the_object_it_is():
    marker, array = object(), np.ones(2)
    value, tangent = eqx.filter_jvp(lambda a: (a, marker, array), (x,), (x,))
    assert value[1] is marker
    assert value[2] is array
    assert tangent[1:] == (None, None)


def test_nothing_is_traced_if_every_tangent_is_none():
    seen = []

    def function(a, n, text):
        seen.append((a, n, text))
        return 2 * a, n, text

    value, tangent = eqx.filter_jvp(function, (x, 3, "text"), (None, None, None))
    assert seen[0][0] is x
    assert type(seen[0][1]) is int
    assert value == (4, 3, "text")
    assert tangent == (None, None, None)


# In other transformations


def test_a_change_at_an_outer_level_does_not_count():
    inner_tangents = []

    def outer(a):
        value, tangent = eqx.filter_jvp(lambda b: (a, b, a * b, 2 * a), (y,), (jnp.array(1.0),))
        inner_tangents.append(tangent)
        return value, tangent

    (value, tangent), (value_tangent, tangent_tangent) = eqx.filter_jvp(outer, (x,), (jnp.array(1.0),))
    assert inner_tangents[0][0] is None
    assert inner_tangents[0][3] is None
    assert value == (2, 3, 6, 4)
    assert tangent == (None, 1, 2, None)
    assert value_tangent == (1, None, 3, 2)
    assert tangent_tangent == (None, None, 1, None)


@pytest.mark.parametrize(
    "outer", [jax.grad, jax.jacfwd, lambda f: jax.grad(jax.jit(f)), lambda f: jax.jit(jax.grad(f))]
)
def test_levels_are_told_apart_inside_of_jax_transformations(outer):
    def function(a):
        value, (first, second) = eqx.filter_jvp(lambda b: (a, a * b), (y,), (y,))
        assert first is None
        return value[0] * second

    assert outer(function)(x) == 12  # of 3 * a**2


def test_second_derivatives_by_nesting():
    def derivative(a):
        return eqx.filter_jvp(lambda a: a**3, (a,), (jnp.ones_like(a),))[1]

    assert eqx.filter_jvp(derivative, (x,), (jnp.array(1.0),)) == (12, 12)
    assert jax.grad(derivative)(x) == 12


def test_it_can_be_mapped():
    xs = jnp.arange(3.0)
    value, tangent = jax.vmap(lambda x: eqx.filter_jvp(lambda a, b: (a * b, b), (x, y), (x, None)))(xs)
    np.testing.assert_array_equal(value[0], 3 * xs)
    np.testing.assert_array_equal(tangent[0], 3 * xs)
    assert tangent[1] is None


def test_nothing_leaks():
    with jax.checking_leaks():
        value, tangent = jax.jit(lambda x: eqx.filter_jvp(lambda a: (a**2, x), (x,), (x,))[1])(x)
    assert value == 8
    assert tangent is None


def test_what_cannot_be_called_is_named():
    with pytest.raises(TypeError, match=r"`filter_jvp` needs a callable .*`int`"):
        eqx.filter_jvp(3, (jnp.array(1.0),), (None,))
