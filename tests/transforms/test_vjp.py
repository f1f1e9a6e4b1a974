"""`filter_vjp`: the output, whatever it holds, and the function that goes from it back to the arguments."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

x, y = jnp.array(2.0), jnp.array(3.0)


class Model(eqx.Module):
    weight: typing.Any
    count: typing.Any = 2
    name: str = "model"

    def __call__(self, x):
        return self.weight**self.count * x


def test_gradients_agree_with_finite_differences():
    with jax.enable_x64(True):
        model, x = Model(jnp.array([0.5, -1.5])), jnp.array([1.0, 2.0])

        def function(model, x):
            return {"sin": jnp.sin(model(x)), "name": model.name}

        cotangent = jnp.array([0.25, -1.0])
        out, vjp = eqx.filter_vjp(function, model, x)
        assert out["name"] == "model"
        of_model, of_x = vjp({"sin": cotangent, "name": None})
        step = 1e-6
        for index in range(2):
            moved = [Model(model.weight.at[index].add(sign * step)) for sign in (1, -1)]
            plus, minus = (function(model, x)["sin"] for model in moved)
            difference = jnp.sum(cotangent * (plus - minus)) / (2 * step)
            np.testing.assert_allclose(of_model.weight[index], difference, rtol=1e-8)
        np.testing.assert_allclose(of_x, cotangent * jnp.cos(model(x)) * model.weight**2, rtol=1e-12)


def test_gradients_have_the_structure_of_the_primals_with_none_at_what_is_not_differentiated():
    out, vjp = eqx.filter_vjp(lambda model, x, *rest: model(x), Model(y), x, 2.0, jnp.array(1), "text", {"a": x})
    assert out == 18
    gradients = vjp(jnp.array(1.0))
    assert type(gradients) is tuple
    of_model, of_x, *rest = gradients
    assert eqx.tree_equal(of_model, Model(jnp.array(12.0), None, None), typematch=False)
    assert of_x == 9
    assert rest[:3] == [None, None, None]
    assert rest[3] == {"a": 0}


def test_numpy_arrays_are_differentiated_and_python_numbers_are_not():
    _, vjp = eqx.filter_vjp(lambda a, b, c: a * b * c, np.float32(2.0), np.array(3.0), 4.0)
    of_scalar, of_array, of_python = vjp(jnp.array(1.0))
    assert (of_scalar, of_array, of_python) == (12, 8, None)
    assert isinstance(of_scalar, jax.Array)
    assert isinstance(of_array, jax.Array)


def test_the_output_may_hold_anything():
    marker, array = object(), np.arange(3)

    def function(a):
        return {"array": 2 * a, "integer": jnp.array(1), "float": 1.5, "marker": marker, "numpy": array, "none": None}

    out, vjp = eqx.filter_vjp(function, x)
    assert out["array"] == 4
    assert out["integer"] == 1
    assert not isinstance(out["integer"], jax.core.Tracer)
    assert out["float"] == 1.5
    assert out["marker"] is marker
    assert out["numpy"] is array
    cotangent = dict.fromkeys(out) | {"array": jnp.array(3.0)}
    assert vjp(cotangent) == (6,)


@pytest.mark.parametrize(
    ("cotangent", "place"),
    [
        ({"a": x}, "the root"),
        ((x, None), "the root"),
        ({"a": x, "b": x}, r"`\['b'\]`"),
        ({"a": None, "b": None}, r"`\['a'\]`"),
        ({"a": (x, x), "b": None}, r"`\['a'\]`"),
    ],
)
def test_a_cotangent_of_another_structure_is_an_error_that_names_the_place(cotangent, place):
    _, vjp = eqx.filter_vjp(lambda a: {"a": a, "b": "text"}, x)
    with pytest.raises(ValueError, match=f"cotangent.*{place}"):
        vjp(cotangent)


@pytest.mark.parametrize("cotangent", [jnp.ones(2), jnp.array(1)])
def test_a_cotangent_of_another_shape_or_dtype_is_an_error(cotangent):
    _, vjp = eqx.filter_vjp(lambda a: 2 * a, x)
    with pytest.raises(ValueError, match=r"float32\[\]"):
        vjp(cotangent)


def test_aux_may_hold_anything_and_its_arrays_are_concrete():
    marker = object()
    out, vjp, aux = eqx.filter_vjp(lambda a: (a**2, {"array": 3 * a, "marker": marker}), x, has_aux=True)
    assert out == 4
    assert vjp(jnp.array(1.0)) == (4,)
    assert aux["array"] == 6
    assert not isinstance(aux["array"], jax.core.Tracer)
    assert aux["marker"] is marker


@pytest.mark.parametrize("output", [x, (x, y, x), [x, y]])
def test_has_aux_needs_a_pair(output):
    def function(a):
        return output

    with pytest.raises(TypeError, match=r"has_aux.*`function`.*pair"):
        eqx.filter_vjp(function, x, has_aux=True)


def test_keyword_primals_are_rejected():
    with pytest.raises(TypeError, match="factor"):
        eqx.filter_vjp(lambda a, factor: a * factor, x, factor=2)


def test_there_need_be_nothing_to_differentiate():
    out, vjp = eqx.filter_vjp(lambda n, text: (n, text, x), 3, "text")
    assert out == (3, "text", 2)
    assert vjp((None, None, x)) == (None, None)
    out, vjp = eqx.filter_vjp(lambda: x)
    assert out == 2
    assert vjp(x) == ()


def test_the_gradient_can_be_computed_again_and_again_and_anywhere():
    _, vjp = eqx.filter_vjp(lambda a: (a**2, "text"), x)
    for transform in (lambda f: f, jax.jit, eqx.filter_jit):
        assert transform(vjp)((jnp.array(1.0), None)) == (4,)
    (gradients,) = jax.vmap(vjp)((jnp.arange(3.0), None))
    np.testing.assert_array_equal(gradients, [0, 4, 8])


def test_what_was_stored_for_the_gradient_is_a_pytree_that_may_leave_a_compiled_function():
    calls = []

    def function(a):
        calls.append(a)
        return jnp.sin(a)

    _, vjp = eqx.filter_jit(lambda a: eqx.filter_vjp(function, a))(x)
    np.testing.assert_allclose(vjp(jnp.array(1.0))[0], np.cos(2.0), rtol=1e-6)
    np.testing.assert_allclose(
        eqx.filter_jit(lambda vjp, ct: vjp(ct))(vjp, jnp.array(2.0))[0], 2 * np.cos(2.0), rtol=1e-6
    )
    assert len(calls) == 1


def test_derivatives_of_derivatives():
    def gradient(a):
        out, vjp = eqx.filter_vjp(lambda a: a**3, a)
        return vjp(jnp.ones_like(out))[0]

    assert jax.grad(gradient)(x) == 12
    assert eqx.filter_jvp(gradient, (x,), (jnp.array(1.0),)) == (12, 12)


def test_nothing_leaks():
    with jax.checking_leaks():
        (gradient,) = jax.jit(lambda x: eqx.filter_vjp(lambda a: (a**2, "text"), x)[1]((x, None)))(x)
    assert gradient == 8


def test_what_cannot_be_called_is_named():
    with pytest.raises(TypeError, match=r"`filter_vjp` needs a callable .*`int`"):
        eqx.filter_vjp(3, jnp.array(1.0))
