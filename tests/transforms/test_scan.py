"""`filter_scan` is `jax.lax.scan` for trees that hold anything."""

import functools as ft
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


class Layer(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)

    def __call__(self, x):
        return self.activation(self.weight * x)


def step(model, x):
    y = model(x)
    return eqx.tree_at(lambda model: model.weight, model, model.weight + y), y


def plain_step(weight, x):
    y = jnp.tanh(weight * x)
    return weight + y, y


X = jnp.linspace(-1.0, 1.0, 5)


@pytest.mark.parametrize("jit", [lambda f: f, eqx.filter_jit])
@pytest.mark.parametrize("options", [{}, {"reverse": True}, {"unroll": 2}, {"length": 5}, {"unroll": True}])
def test_a_model_is_carried_as_its_arrays_are_by_jax(jit, options):
    expected, expected_ys = jax.lax.scan(plain_step, jnp.array(0.5), X, **options)
    model, ys = jit(lambda model: eqx.filter_scan(step, model, X, **options))(Layer(jnp.array(0.5), size=3))
    np.testing.assert_allclose(model.weight, expected, rtol=1e-6)
    np.testing.assert_allclose(ys, expected_ys, rtol=1e-6)
    assert model.activation is jnp.tanh
    assert model.size == 3


def test_options_are_positional_as_in_jax():
    expected = jax.lax.scan(plain_step, jnp.array(0.5), X, 5, True, 2)
    actual = eqx.filter_scan(plain_step, jnp.array(0.5), X, 5, True, 2)
    np.testing.assert_allclose(actual[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(actual[1], expected[1], rtol=1e-6)


def test_inputs_hold_anything_and_steps_get_rows_of_arrays_only():
    seen = []

    def step(carry, x):
        seen.append(x)
        return carry + x["rows"], None

    xs = {"rows": X, "numpy": np.zeros((5, 2)), "name": "text", "function": jnp.tanh, "none": None, "number": 3}
    total, ys = eqx.filter_scan(step, jnp.array(0.0), xs)
    np.testing.assert_allclose(total, X.sum(), atol=1e-6)
    assert ys is None
    (x,) = seen
    assert x["rows"].shape == ()
    assert x["numpy"].shape == (2,)
    assert x["name"] == "text"
    assert x["function"] is jnp.tanh
    assert x["none"] is None
    assert type(x["number"]) is int


def test_inputs_without_arrays_need_a_length():
    def step(carry, x):
        return carry + x, x

    assert eqx.filter_scan(step, jnp.array(0), 2, length=3) == (6, 2)
    with pytest.raises(ValueError, match="length"):
        eqx.filter_scan(step, jnp.array(0), 2)


def rows_error(xs, **options):
    with pytest.raises(ValueError, match="`filter_scan`") as info:
        eqx.filter_scan(lambda carry, x: (carry, None), jnp.array(0), xs, **options)
    return str(info.value)


def test_arrays_with_different_numbers_of_rows_are_named_with_their_numbers():
    text = rows_error({"a": jnp.ones(3), "b": {"c": jnp.ones((4, 2))}, "d": jnp.ones(3), "name": "text"})
    assert "`['a']`" in text
    assert "`['b']['c']`" in text
    assert "float32[3]" in text
    assert "float32[4,2]" in text
    assert "`['d']`" not in text


def test_a_scalar_has_no_rows_and_is_named():
    text = rows_error((jnp.ones(3), {"b": jnp.array(1.0)}))
    assert "argument `xs`, leaf `[1]['b']`" in text
    assert "float32[]" in text


def test_a_length_that_is_not_that_of_the_rows_is_an_error_that_names_both():
    text = rows_error([None, jnp.ones(3)], length=5)
    assert "argument `xs`, leaf `[1]`" in text
    assert "has 3" in text
    assert "`length` is 5" in text


def test_numbers_in_the_inputs_are_said_to_be_no_arrays():
    assert "`jnp.asarray`" in rows_error([1.0, 2.0])
    assert "`jnp.asarray`" not in rows_error(None)


def test_outputs_that_are_no_arrays_are_the_objects_made_while_tracing():
    made = []

    def step(carry, x):
        made.append(object())
        return carry, {"y": 2 * x, "token": made[-1], "model": Layer(x, jnp.sin, size=2), "none": None, "n": 1}

    _, ys = eqx.filter_scan(step, (), X)
    np.testing.assert_allclose(ys["y"], 2 * X)
    assert len(made) == 1
    assert ys["token"] is made[0]
    assert ys["none"] is None
    assert type(ys["n"]) is int
    model = ys["model"]
    assert (model.activation, model.size) == (jnp.sin, 2)
    np.testing.assert_allclose(jnp.stack([model.activation(weight) for weight in model.weight]), jnp.sin(X), rtol=1e-6)


def test_a_carry_without_arrays_and_a_loop_without_steps():
    assert eqx.filter_scan(lambda carry, x: (carry, carry), "text", length=3) == ("text", "text")
    carry, ys = eqx.filter_scan(step, Layer(jnp.array(2.0)), jnp.zeros(0))
    assert carry.weight == 2
    assert ys.shape == (0,)


def test_keys_and_numpy_arrays_are_arrays():
    def step(carry, key):
        return carry | {"sum": carry["sum"] + jax.random.normal(key)}, key

    keys = jax.random.split(jax.random.key(0), 3)
    carry, ys = eqx.filter_scan(step, {"sum": np.zeros((), np.float32), "key": keys[0]}, keys)
    np.testing.assert_allclose(carry["sum"], sum(map(jax.random.normal, keys)), rtol=1e-5)
    assert (ys == keys).all()


@pytest.mark.parametrize("output", [3, (), (1,), (1, 2, 3), {"a": 1, "b": 2}, None])
def test_a_step_that_returns_no_pair_is_an_error_that_says_what_it_returned(output):
    with pytest.raises(TypeError) as caught:
        eqx.filter_scan(lambda carry, x: output, 0, X)
    message = str(caught.value)
    assert "`filter_scan`" in message
    assert "`f`" in message
    assert repr(output) in message


def loss(model, xs):
    model, ys = eqx.filter_scan(step, model, xs)
    return jnp.sum(ys**2) + model.weight


def plain_loss(weight, xs):
    weight, ys = jax.lax.scan(plain_step, weight, xs)
    return jnp.sum(ys**2) + weight


def test_gradients_flow_backwards_and_forwards():
    expected = jax.grad(plain_loss, argnums=(0, 1))(0.5, X)
    model = Layer(jnp.array(0.5))
    gradient = eqx.filter_grad(loss)(model, X)
    assert gradient.activation is None
    np.testing.assert_allclose(gradient.weight, expected[0], rtol=1e-5)
    np.testing.assert_allclose(jax.grad(ft.partial(loss, model))(X), expected[1], rtol=1e-5)
    _, tangent = jax.jvp(lambda weight: loss(Layer(weight), X), (0.5,), (1.0,))
    np.testing.assert_allclose(tangent, expected[0], rtol=1e-5)


def test_gradients_flow_into_what_the_step_closes_over():
    def through(factor):
        return eqx.filter_scan(lambda carry, x: (carry + factor * x, None), jnp.array(0.0), jnp.arange(4.0))[0]

    assert jax.grad(through)(2.0) == 6


def test_loops_can_be_vectorised_and_nested():
    rows = jnp.stack([X, 2 * X])
    expected = jax.vmap(plain_loss, in_axes=(None, 0))(0.5, rows)
    np.testing.assert_allclose(jax.vmap(lambda xs: loss(Layer(0.5 * jnp.ones(())), xs))(rows), expected, rtol=1e-5)

    def outer(model, xs):
        return eqx.filter_scan(step, model, xs)

    model, _ = eqx.filter_jit(lambda model: eqx.filter_scan(outer, model, rows))(Layer(jnp.array(0.5)))
    weight, _ = jax.lax.scan(lambda weight, xs: jax.lax.scan(plain_step, weight, xs), jnp.array(0.5), rows)
    np.testing.assert_allclose(model.weight, weight, rtol=1e-5)


def test_without_jit_each_step_runs_on_concrete_arrays():
    runs = []

    def step(carry, x):
        runs.append(float(x["x"]))
        model = carry["model"]
        return carry | {"model": eqx.tree_at(lambda m: m.weight, model, model.weight + x["x"])}, (
            x,
            lambda: None,
            "text",
        )

    with jax.disable_jit():
        carry, (xs, _, text) = eqx.filter_scan(step, {"model": Layer(jnp.array(0.0))}, {"x": X, "name": "x"})
        with pytest.raises(TypeError, match=r"carry\.weight"):
            eqx.filter_scan(lambda model, x: (Layer(jnp.ones(2)), None), Layer(jnp.ones(3)), X)
    assert runs == [float(x) for x in X]
    np.testing.assert_allclose(carry["model"].weight, X.sum(), atol=1e-6)
    np.testing.assert_allclose(xs["x"], X)
    assert xs["name"] == "x"
    assert text == "text"


def test_the_step_is_traced_once():
    traces = []

    def counted(model, x):
        traces.append(x)
        return step(model, x)

    eqx.filter_scan(counted, Layer(jnp.ones(())), X)
    assert len(traces) == 1
