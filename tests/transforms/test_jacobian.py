"""`filter_jacfwd`, `filter_jacrev` and `filter_hessian`: where the derivatives are in the result, and what else is."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

JACOBIANS = [eqx.filter_jacfwd, eqx.filter_jacrev]
ALL = [*JACOBIANS, eqx.filter_hessian]
each_jacobian = pytest.mark.parametrize("jacobian", JACOBIANS)
each = pytest.mark.parametrize("derivative", ALL)

x = jnp.array(2.0)


class Point(eqx.Module):
    x: typing.Any
    y: typing.Any
    name: str = "P"


point = Point(jnp.array([1.0, 2.0]), jnp.array(3.0))


def function(point, scale=1.0):
    return {"product": scale * point.x**2 * point.y, "sum": jnp.sum(point.x) * point.y}


@each_jacobian
def test_jacobians_agree_with_finite_differences(jacobian):
    with jax.enable_x64(True):
        matrix = jnp.array([[0.2, -0.4, 1.0], [0.7, 0.1, -0.3]])
        x = jnp.array([0.5, 1.5, -2.0])

        def function(x):
            return jnp.sin(matrix @ x) * x[0]

        step = 1e-6
        columns = [(function(x.at[i].add(step)) - function(x.at[i].add(-step))) / (2 * step) for i in range(3)]
        np.testing.assert_allclose(jacobian(function)(x), np.stack(columns, axis=1), rtol=1e-7, atol=1e-9)


def test_hessians_agree_with_finite_differences_of_gradients():
    with jax.enable_x64(True):
        x = jnp.array([0.5, 1.5, -2.0])

        def function(x):
            return jnp.exp(x[0] * x[1]) + jnp.sin(x[2]) * x[0] ** 2

        gradient, step = jax.grad(function), 1e-6
        columns = [(gradient(x.at[i].add(step)) - gradient(x.at[i].add(-step))) / (2 * step) for i in range(3)]
        np.testing.assert_allclose(eqx.filter_hessian(function)(x), np.stack(columns, axis=1), rtol=1e-7, atol=1e-8)


@each_jacobian
def test_the_structure_of_the_argument_is_inside_that_of_the_output(jacobian):
    result = jacobian(function)(point)
    assert set(result) == {"product", "sum"}
    assert type(result["product"]) is Point
    np.testing.assert_allclose(result["product"].x, np.diag([6.0, 12.0]))
    np.testing.assert_allclose(result["product"].y, [1, 4])
    np.testing.assert_allclose(result["sum"].x, [3, 3])
    np.testing.assert_allclose(result["sum"].y, 3)
    assert result["product"].name is None
    assert result["sum"].name is None


def test_a_hessian_nests_the_structure_of_the_argument_twice():
    result = eqx.filter_hessian(function)(point)
    product = result["product"]
    assert type(product.x) is Point
    np.testing.assert_allclose(product.x.x, 6 * np.einsum("ij,ik->ijk", np.eye(2), np.eye(2)))
    np.testing.assert_allclose(product.x.y, np.diag([2.0, 4.0]))
    np.testing.assert_allclose(product.y.x, np.diag([2.0, 4.0]))
    np.testing.assert_allclose(product.y.y, [0, 0])
    assert product.name is None
    assert product.x.name is None
    np.testing.assert_allclose(result["sum"].x.y, [1, 1])


@each
def test_results_have_the_layout_of_jax(derivative):
    plain = {eqx.filter_jacfwd: jax.jacfwd, eqx.filter_jacrev: jax.jacrev, eqx.filter_hessian: jax.hessian}[derivative]
    argument = {"a": jnp.array([1.0, 2.0]), "b": (jnp.array(3.0),)}

    def function(tree):
        return [tree["a"] ** 2 * tree["b"][0], jnp.sum(tree["a"]) * tree["b"][0] ** 2]

    expected, found = plain(function)(argument), derivative(function)(argument)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_allclose, found, expected)


@each
def test_leaves_that_are_no_floating_point_arrays_give_none(derivative):
    argument = {"a": x, "int": 3, "float": 2.0, "array": jnp.array(1), "function": jnp.sin, "numpy": np.array(1.0)}
    result = derivative(lambda tree: tree["a"] ** tree["int"])(argument)
    assert {name for name, value in result.items() if value is None} == {"int", "float", "array", "function"}


@each
@pytest.mark.parametrize("argument", [3.0, 3, "text", {"a": None}, jnp.array(3)])
def test_there_need_be_nothing_to_differentiate(derivative, argument):
    result = derivative(lambda _: {"out": x})(argument)
    assert result == {"out": {"a": None} if isinstance(argument, dict) else None}


@each
def test_other_arguments_may_be_anything(derivative):
    marker = object()

    def function(a, factor, /, *, power, fun, x):
        assert fun is marker
        return factor[0] * a**power

    np.testing.assert_allclose(
        derivative(function)(x, [5.0], power=2, fun=marker, x={1}), 10 if derivative is eqx.filter_hessian else 20
    )


@each
def test_outputs_must_be_of_jax(derivative):
    assert derivative(lambda a: {"out": a, "none": None})(x)["none"] is None
    with pytest.raises(TypeError, match="str"):
        derivative(lambda a: (a, "text"))(x)


@each
def test_complex_numbers_are_rejected(derivative):
    with pytest.raises(TypeError, match="complex"):
        derivative(lambda a: a**2)(jnp.array(1j))


@each
def test_aux_may_hold_anything_and_its_arrays_are_concrete(derivative):
    marker = object()

    def function(a):
        return a**3, {"array": 2 * a, "integer": jnp.array(1), "marker": marker, "text": "text", "number": 1}

    result, aux = derivative(function, has_aux=True)(x)
    assert result == 12
    assert aux["array"] == 4
    assert not isinstance(aux["array"], jax.core.Tracer)
    assert aux["marker"] is marker
    assert aux["text"] == "text"
    assert type(aux["number"]) is int


@each
def test_has_aux_needs_a_pair(derivative):
    def function(a):
        return a

    with pytest.raises(TypeError, match=r"has_aux.*`function`.*pair"):
        derivative(function, has_aux=True)(x)


@each
def test_what_is_differentiated_must_be_passed_by_position(derivative):
    for arguments in ({}, {"a": x}):
        with pytest.raises(TypeError, match=f"`{derivative.__name__}`.*first positional"):
            derivative(lambda a: a)(**arguments)


@each
def test_options_of_jax_that_would_change_the_layout_are_rejected(derivative):
    for option in ("argnums", "holomorphic"):
        with pytest.raises(TypeError, match=option):
            derivative(lambda a: a, **{option: 0})


@each
def test_they_are_decorators_with_and_without_options(derivative):
    @derivative
    def plain(a):
        """What it does."""
        return a**3

    @derivative(has_aux=True)
    def with_aux(a):
        return a**3, "aux"

    assert plain(x) == 12
    assert (plain.__name__, plain.__doc__) == ("plain", "What it does.")
    assert with_aux(x) == (12, "aux")
    assert derivative(lambda a: (a**3, "aux"), True)(x) == (12, "aux")


@each
def test_methods_bind_and_are_differentiated_with_respect_to_self(derivative):
    class Model(eqx.Module):
        weight: typing.Any
        name: str = "model"

        @derivative
        def cubed(self, x):
            return self.weight**3 * x

    model = Model(x)
    result = model.cubed(10.0)
    assert eqx.tree_equal(result, Model.cubed(model, 10.0))
    second = result.weight.weight if derivative is eqx.filter_hessian else result.weight
    assert second == 120
    assert result.name is None


def test_they_can_be_compiled_mapped_and_nested():
    def function(a):
        return a**3

    assert eqx.filter_jit(eqx.filter_hessian(function))(x) == 12
    np.testing.assert_allclose(jax.vmap(eqx.filter_jacrev(function))(jnp.arange(3.0)), [0, 3, 12])
    assert eqx.filter_jacfwd(eqx.filter_jacrev(function))(x) == eqx.filter_hessian(function)(x)
    assert eqx.filter_grad(eqx.filter_jacfwd(function))(x) == 12
