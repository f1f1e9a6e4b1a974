"""Gradients with respect to the leaves that a filter selects."""

import functools as ft
import inspect
import typing

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx


class Affine(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    power: typing.Any = 2
    name: str = "affine"

    def __call__(self, x):
        return (self.weight * x + self.bias) ** self.power


def loss(model, x):
    return jnp.sum(model(x))


@pytest.fixture
def model():
    return Affine(jnp.array([1.0, 2.0]), jnp.array(0.5))


x = np.array([3.0, -1.0], dtype=np.float32)
gradient_of_weight = 2 * (np.array([1.0, 2.0]) * x + 0.5) * x
gradient_of_bias = np.sum(2 * (np.array([1.0, 2.0]) * x + 0.5))

FILTERED = [eqx.gradf, eqx.value_and_grad_f]
PAIR = [
    pytest.param(ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array), id="value_and_grad_f"),
    pytest.param(eqx.filter_value_and_grad, id="filter_value_and_grad"),
]
GRADIENT = [
    pytest.param(ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array), id="gradf"),
    pytest.param(eqx.filter_grad, id="filter_grad"),
]


# What comes out


@pytest.mark.parametrize("grad", GRADIENT)
def test_the_gradient_has_the_structure_of_the_argument_with_none_at_what_was_not_differentiated(grad, model):
    gradient = grad(loss)(model, x)
    assert type(gradient) is Affine
    assert gradient.power is None
    assert gradient.name is None
    np.testing.assert_allclose(gradient.weight, gradient_of_weight)
    np.testing.assert_allclose(gradient.bias, gradient_of_bias)


@pytest.mark.parametrize("value_and_grad", PAIR)
def test_value_and_gradient_come_as_a_pair(value_and_grad, model):
    value, gradient = value_and_grad(loss)(model, x)
    np.testing.assert_allclose(value, loss(model, x))
    np.testing.assert_allclose(gradient.weight, gradient_of_weight)


@pytest.mark.parametrize("grad", GRADIENT)
def test_aux_may_hold_anything_and_its_arrays_are_concrete(grad, model):
    def with_aux(model, x):
        return loss(model, x), {"model": model, "text": "text", "function": loss, "number": 1, "twice": 2 * x}

    gradient, aux = grad(with_aux, has_aux=True)(model, x)
    np.testing.assert_allclose(gradient.weight, gradient_of_weight)
    assert aux["function"] is loss
    assert aux["text"] == "text"
    assert type(aux["number"]) is int
    assert type(aux["model"]) is Affine
    assert not isinstance(aux["model"].weight, jax.core.Tracer)
    np.testing.assert_allclose(aux["model"].weight, model.weight)
    np.testing.assert_allclose(aux["twice"], 2 * x)


@pytest.mark.parametrize("value_and_grad", PAIR)
def test_value_aux_and_gradient_are_nested_as_in_jax(value_and_grad, model):
    (value, aux), gradient = value_and_grad(lambda m, x: (loss(m, x), "aux"), has_aux=True)(model, x)
    np.testing.assert_allclose(value, loss(model, x))
    assert aux == "aux"
    np.testing.assert_allclose(gradient.weight, gradient_of_weight)


@pytest.mark.parametrize("grad", GRADIENT)
def test_has_aux_needs_a_pair(grad, model):
    with pytest.raises(TypeError, match=r"(?s)has_aux.*`loss`.*pair"):
        grad(loss, has_aux=True)(model, x)


# What is differentiated


def test_filter_fn_sees_the_leaves_of_the_arguments_in_argnums_only(model):
    seen = []

    def note(leaf):
        seen.append(leaf)
        return eqx.is_inexact_array(leaf)

    def with_key(model, x, *, key):
        return loss(model, x)

    eqx.gradf(with_key, filter_fn=note)(model, x, key="key")
    assert [id(leaf) for leaf in seen] == [id(leaf) for leaf in jax.tree.leaves(model)]


def test_argnums_chooses_another_argument(model):
    gradient = eqx.gradf(lambda x, m: loss(m, x), filter_fn=eqx.is_inexact_array, argnums=1)(x, model)
    np.testing.assert_allclose(gradient.weight, gradient_of_weight)


def test_a_sequence_of_argnums_gives_a_tuple_even_of_length_one(model):
    (gradient,) = eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=[0])(model, x)
    np.testing.assert_allclose(gradient.weight, gradient_of_weight)
    gradients = eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=(1, 0))(model, jnp.asarray(x))
    assert isinstance(gradients, tuple)
    np.testing.assert_allclose(gradients[0], 2 * (model.weight * x + 0.5) * model.weight)
    np.testing.assert_allclose(gradients[1].weight, gradient_of_weight)


@pytest.mark.parametrize("transformation", FILTERED)
def test_filter_tree_selects_leaf_by_leaf(transformation, model):
    only_bias = eqx.tree_at(lambda m: m.bias, jax.tree.map(lambda _: False, model), replace=True)
    result = transformation(loss, filter_tree=only_bias)(model, x)
    gradient = result[1] if transformation is eqx.value_and_grad_f else result
    assert gradient.weight is None
    np.testing.assert_allclose(gradient.bias, gradient_of_bias)


def test_filter_tree_for_a_sequence_of_argnums_is_a_tuple_of_trees(model):
    none_of_model = jax.tree.map(lambda _: False, model)
    (gradient,) = eqx.gradf(loss, filter_tree=(none_of_model,), argnums=(0,))(model, x)
    assert jax.tree.leaves(gradient) == []
    gradients = eqx.gradf(loss, filter_tree=(none_of_model, True), argnums=(0, 1))(model, jnp.asarray(x))
    assert jax.tree.leaves(gradients[0]) == []
    assert gradients[1].shape == x.shape


def test_filter_tree_without_its_tuple_is_an_error(model):
    with pytest.raises(ValueError, match=r"`filter_tree` must be a tuple of 1"):
        eqx.gradf(loss, filter_tree=jax.tree.map(lambda _: False, model), argnums=(0,))(model, x)
    with pytest.raises(ValueError, match=r"argument `model`"):
        eqx.gradf(loss, filter_tree=(jax.tree.map(lambda _: False, model),))(model, x)


def test_filter_tree_of_another_structure_names_argument_and_first_difference(model):
    tree = {"a": True, "c": True}
    with pytest.raises(ValueError, match=r"argument `parameters`.*`\['b'\]`"):
        eqx.gradf(lambda parameters: 0.0, filter_tree=tree)({"a": 1.0, "b": 1.0})


def test_filter_tree_holds_booleans_only():
    with pytest.raises(ValueError, match=r"argument `parameters`, leaf `\['a'\]`.*`int`: 1"):
        eqx.gradf(lambda parameters: 0.0, filter_tree={"a": 1})({"a": 1.0})


def test_filter_fn_must_answer_with_a_boolean(model):
    with pytest.raises(TypeError, match=r"argument `model`, leaf `\.weight`.*`int`: 1"):
        eqx.gradf(loss, filter_fn=lambda leaf: 1)(model, x)
    assert eqx.gradf(loss, filter_fn=lambda leaf: np.bool_(False))(model, x).weight is None


def test_nothing_selected_gives_an_empty_gradient_and_runs_the_function_once(model):
    calls = []

    def counted(model, x):
        calls.append(None)
        return loss(model, x)

    value, gradient = eqx.value_and_grad_f(counted, filter_fn=lambda leaf: False)(model, x)
    assert gradient == Affine(None, None, None, None)
    np.testing.assert_allclose(value, loss(model, x))
    assert len(calls) == 1


def test_python_floats_and_numpy_arrays_are_differentiated_as_the_filter_says():
    def product(parameters):
        return parameters["jax"] * parameters["numpy"] * parameters["float"]

    parameters = {"jax": jnp.array(2.0), "numpy": np.array(3.0, dtype=np.float32), "float": 5.0}
    assert eqx.gradf(product, filter_fn=eqx.is_inexact_array)(parameters) == {"jax": 15.0, "numpy": None, "float": None}
    assert eqx.filter_grad(product)(parameters) == {"jax": 15.0, "numpy": 10.0, "float": None}
    every = eqx.gradf(product, filter_fn=lambda leaf: True)(parameters)
    assert every == {"jax": 15.0, "numpy": 10.0, "float": 6.0}
    assert isinstance(eqx.filter_grad(product)(parameters)["numpy"], jax.Array)


def test_extension_floats_have_gradients():
    parameters = [jnp.ones(2, jnp.bfloat16), np.ones(2, ml_dtypes.bfloat16), jnp.arange(2), jax.random.key(0)]
    gradient = eqx.filter_grad(lambda p: jnp.sum(p[0] * p[1]).astype(jnp.float32))(parameters)
    assert [g is None for g in gradient] == [False, False, True, True]
    assert gradient[0].dtype == gradient[1].dtype == jnp.bfloat16


# Errors


@pytest.mark.parametrize("transformation", FILTERED)
@pytest.mark.parametrize("filters", [{}, {"filter_fn": eqx.is_array, "filter_tree": True}], ids=["neither", "both"])
def test_precisely_one_filter_is_needed_when_decorating(transformation, filters):
    with pytest.raises(ValueError, match=r"`filter_fn` and `filter_tree`"):
        transformation(loss, **filters)
    with pytest.raises(ValueError, match=r"`filter_fn` and `filter_tree`"):
        transformation(**filters)


@pytest.mark.parametrize("leaf", [1, jnp.arange(2), "text", loss], ids=["int", "integer array", "text", "function"])
def test_a_selected_leaf_without_a_gradient_is_named(leaf):
    with pytest.raises(TypeError, match=r"argument `parameters`, leaf `\['second'\]`.*is_inexact_array"):
        eqx.gradf(lambda parameters: 0.0, filter_fn=lambda leaf: True)({"first": 1.0, "second": leaf})


def test_integers_are_differentiated_where_jax_is_told_to():
    gradient = eqx.gradf(lambda p: p[0] * p[1], filter_fn=lambda leaf: True, allow_int=True)([2.0, jnp.array(3)])
    assert gradient[0] == 3.0
    assert gradient[1].dtype == jax.dtypes.float0


def test_holomorphic_functions():
    def function(z):
        return z**2

    z = jnp.array(1.0 + 2.0j)
    assert eqx.gradf(function, filter_fn=eqx.is_inexact_array, holomorphic=True)(z) == 2 * z
    assert eqx.filter_grad(function, holomorphic=True)(z) == 2 * z


@pytest.mark.parametrize("grad", GRADIENT)
@pytest.mark.parametrize("output", [jnp.ones(3), "text", None], ids=["vector", "text", "nothing"])
def test_an_output_that_is_no_scalar_is_reported_with_the_name_of_the_function(grad, output):
    def my_loss(x):
        return output

    with pytest.raises(TypeError, match=r"(?s)Gradient only defined for scalar-output functions.*`my_loss`"):
        grad(my_loss)(jnp.array(1.0))


@pytest.mark.parametrize("grad", GRADIENT)
def test_integer_and_complex_outputs_are_jax_errors(grad):
    with pytest.raises(TypeError, match="real"):
        grad(lambda x: x.astype(complex))(jnp.array(1.0))
    with pytest.raises(TypeError, match=r"integer|int32"):
        grad(lambda x: x.astype(int))(jnp.array(1.0))


def test_a_missing_position_is_named(model):
    with pytest.raises(TypeError, match=r"Functions wrapped with `gradf`.*at 2 .*only 2 were given"):
        eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=2)(model, x)
    with pytest.raises(ValueError, match=r"`argnums`.*-1"):
        eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=-1)


@pytest.mark.parametrize("grad", GRADIENT)
def test_the_first_argument_is_positional(grad, model):
    with pytest.raises(TypeError, match=r"Functions wrapped with .*no argument was given"):
        grad(loss)()
    with pytest.raises(TypeError, match=r"Functions wrapped with .*`model`, `x` by keyword"):
        grad(loss)(model=model, x=x)


@pytest.mark.parametrize("grad", [eqx.filter_grad, eqx.filter_value_and_grad])
def test_options_that_the_later_spelling_does_not_have(grad):
    with pytest.raises(ValueError, match=r"`argnums`.*tuple"):
        grad(loss, argnums=1)
    for removed in ("arg", "filter_spec"):
        with pytest.raises(ValueError, match=f"`{removed}`"):
            grad(loss, **{removed: 1})
    with pytest.raises(TypeError, match="unknown"):
        grad(loss, unknown=1)(1.0)


@pytest.mark.parametrize("grad", GRADIENT)
def test_only_callables_are_differentiated(grad):
    with pytest.raises(TypeError, match=r"callable.*`int`"):
        grad(1)


# Keyword arguments and other arguments


@pytest.mark.parametrize("grad", GRADIENT)
def test_other_arguments_are_not_differentiated_and_may_be_anything(grad):
    def function(x, f, *, scale, text):
        assert text == "text"
        return f(x) * scale

    assert grad(function)(jnp.array(2.0), jnp.square, scale=jnp.array(3.0), text="text") == 12.0


@pytest.mark.parametrize("grad", GRADIENT)
def test_arrays_of_the_callable_are_not_differentiated(grad, model):
    assert grad(lambda x: jnp.sum(model(x)))(jnp.asarray(x)).shape == (2,)
    assert grad(Affine(jnp.array(2.0), jnp.array(0.0)))(jnp.array(3.0)) == 24.0


# As a callable


@pytest.mark.parametrize("grad", GRADIENT)
def test_all_decorator_forms_are_one(grad, model):
    direct = grad(loss)(model, x)
    assert eqx.tree_equal(direct, ft.partial(grad)(loss)(model, x))
    assert eqx.tree_equal(direct, grad()(loss)(model, x))


@pytest.mark.parametrize("grad", GRADIENT)
def test_name_docstring_and_signature_are_those_of_the_function(grad, model):
    def documented(model: Affine, x: float = 1.0) -> float:
        """Documentation."""
        return 0.0

    for wrapper in (grad(documented), jax.tree.map(lambda leaf: leaf, grad(documented))):
        assert wrapper.__name__ == "documented"
        assert wrapper.__doc__ == "Documentation."
        assert wrapper.__qualname__ == documented.__qualname__
        assert wrapper.__module__ == __name__
        assert wrapper.__wrapped__ is documented
        assert inspect.signature(wrapper) == inspect.signature(documented)
        assert inspect.unwrap(wrapper) is documented


@pytest.mark.parametrize("grad", GRADIENT)
def test_the_only_leaves_are_those_of_the_callable(grad, model):
    assert jax.tree.leaves(grad(loss)) == [loss]
    arrays = Affine(jnp.array(1.0), jnp.array(2.0), jnp.array(3), None)
    assert [leaf.item() for leaf in jax.tree.leaves(grad(arrays))] == [1.0, 2.0, 3]
    assert jax.jit(lambda wrapper, x: wrapper(x))(grad(arrays), 1.0) == 27.0


@pytest.mark.parametrize("grad", GRADIENT)
def test_methods_are_differentiated_with_respect_to_self(grad):
    class Model(eqx.Module):
        weight: jax.Array
        n: int = 2

        @grad
        def loss(self, x):
            """Documentation."""
            return self.weight**self.n * x

    m = Model(jnp.array(3.0))
    gradient = m.loss(2.0)
    assert type(gradient) is Model
    assert gradient.weight == 12.0
    assert gradient.n is None
    assert eqx.tree_equal(Model.loss(m, 2.0), gradient)
    assert m.loss.__name__ == "loss"
    assert m.loss.__doc__ == "Documentation."
    assert list(inspect.signature(m.loss).parameters) == ["x"]
    assert jax.tree.map(lambda leaf: leaf, m.loss)(2.0).weight == 12.0
    assert eqx.filter_jit(m.loss)(2.0).weight == 12.0


# Together with JAX


@pytest.mark.parametrize("grad", GRADIENT)
def test_nothing_is_baked_in_under_an_outer_jit(grad):
    traces = []

    @jax.jit
    def outer(x, scale):
        traces.append(None)
        return grad(lambda x: x**2 * scale)(x)

    assert outer(3.0, 1.0) == 6.0
    assert outer(3.0, 2.0) == 12.0
    assert len(traces) == 1


@pytest.mark.parametrize("grad", GRADIENT)
def test_gradients_nest_and_batch(grad):
    assert grad(grad(lambda x: x**3))(jnp.array(2.0)) == 12.0
    np.testing.assert_allclose(jax.vmap(grad(jnp.sin))(jnp.arange(3.0)), np.cos(np.arange(3.0)), rtol=1e-6)
    assert eqx.filter_jit(grad(lambda x: x**2))(jnp.array(3.0)) == 6.0
    assert jax.grad(lambda scale: grad(lambda x: scale * x**2)(jnp.array(3.0)))(2.0) == 6.0


def test_the_quick_example_of_the_two_decorators():
    @ft.partial(eqx.jitf, filter_fn=eqx.is_inexact_array)
    @ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
    def mean_square(model, x, y):
        return jnp.mean((y - jax.vmap(model)(x)) ** 2)

    class LinearOrIdentity(eqx.Module):
        weight: jax.Array
        flag: bool

        def __call__(self, x):
            return x if self.flag else self.weight @ x

    model = LinearOrIdentity(jnp.ones((3, 2)), flag=False)
    inputs, targets = jnp.ones((100, 2)), jnp.zeros((100, 3))
    gradient = mean_square(model, inputs, targets)
    np.testing.assert_allclose(gradient.weight, np.full((3, 2), 4 / 3), rtol=1e-6)
    assert gradient.flag is None


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 3))
def test_the_gradient_is_that_of_jax_on_the_selected_leaves_and_agrees_with_finite_differences(mask, seed):
    with jax.enable_x64(True):
        generator = np.random.default_rng(seed)
        leaves = [jnp.asarray(generator.normal(size=shape)) for shape in ((), (2,), (2, 2), (1,))]
        tree = {"a": leaves[0], "b": (leaves[1], [leaves[2]]), "c": leaves[3]}
        flags = {"a": mask[0], "b": (mask[1], [mask[2]]), "c": mask[3]}

        def function(tree):
            inner = jnp.tanh(tree["b"][1][0] @ tree["b"][0]) * tree["a"]
            return jnp.sum(inner**2 + jnp.sin(tree["c"]))

        ours = jax.tree.leaves(eqx.gradf(function, filter_tree=flags)(tree), is_leaf=lambda node: node is None)
        every = jax.tree.leaves(jax.grad(function)(tree))
        for gradient, reference, selected in zip(ours, every, mask, strict=True):
            assert (gradient is not None) == selected
            if selected:
                np.testing.assert_array_equal(gradient, reference)
        direction = [
            jnp.asarray(generator.normal(size=leaf.shape)) * flag for leaf, flag in zip(leaves, mask, strict=True)
        ]
        treedef = jax.tree.structure(tree)
        at = lambda t: function(treedef.unflatten([leaf + t * d for leaf, d in zip(leaves, direction, strict=True)]))  # noqa: E731
        finite_difference = (at(1e-6) - at(-1e-6)) / 2e-6
        directional = sum(jnp.sum(g * d) for g, d in zip(ours, direction, strict=True) if g is not None)
        np.testing.assert_allclose(directional, finite_difference, rtol=1e-5, atol=1e-8)


@pytest.mark.device
def test_gradients_on_the_default_device(model):
    gradient = eqx.filter_jit(eqx.filter_grad(loss))(model, x)
    np.testing.assert_allclose(gradient.weight, gradient_of_weight, rtol=1e-5)
    assert gradient.weight.devices() == {jax.devices()[0]}
