"""`filter_vmap`: what is mapped, what comes out, and what the result is as an object."""

import copy
import functools as ft
import inspect
import pickle
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx

x = jnp.arange(6.0).reshape(2, 3)


class Model(eqx.Module):
    weight: typing.Any
    name: str = "name"

    def __call__(self, x):
        return self.weight * x

    @eqx.filter_vmap
    def mapped(self, x):
        """What it does."""
        return jnp.sum(self.weight * x)

    @eqx.filter_vmap(in_axes={"self": None})
    def shared(self, x):
        return jnp.sum(self.weight) * x

    @ft.partial(eqx.filter_vmap, in_axes=(None, 0))
    @eqx.filter_jit
    def compiled(self, x):
        return jnp.sum(self.weight) * x


def same(*args):
    return args


def assert_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


# What is mapped


def test_arrays_are_mapped_over_their_first_axis_and_nothing_else_is():
    seen = []

    def function(model, n, text, row):
        seen.append((model.weight.shape, model.name, type(n), text, jnp.shape(row)))
        return model.weight * n * row

    y = eqx.filter_vmap(function)(Model(x), 3, "text", np.arange(2.0))
    assert seen == [((3,), "name", int, "text", ())]
    assert_equal(y, x * 3 * jnp.arange(2.0)[:, None])


def test_what_is_not_mapped_reaches_the_function_as_it_is():
    def function(row, array, thing):
        assert array is given
        assert thing is marker
        return row

    given, marker = np.ones(3), object()
    assert_equal(eqx.filter_vmap(function, in_axes=(0, None, None))(x, given, marker), x)


def outer(a, b):
    return jnp.outer(a, b)


@pytest.mark.parametrize(
    ("in_axes", "expected"),
    [
        ((0, None), lambda a, b: jax.vmap(jnp.outer, (0, None))(a, b[0])),
        ((1, None), lambda a, b: jax.vmap(jnp.outer, (1, None))(a, b[0])),
        ((-1, None), lambda a, b: jax.vmap(jnp.outer, (-1, None))(a, b[0])),
        ({"b": None}, lambda a, b: jax.vmap(jnp.outer, (0, None))(a, b[0])),
    ],
)
def test_axes_are_those_of_jax(in_axes, expected):
    assert_equal(eqx.filter_vmap(outer, in_axes=in_axes)(x, x[0]), expected(x, x))


def test_the_arrays_of_the_callable_are_not_mapped():
    for callable_ in (Model(x), Model(x).__call__, eqx.Partial(jnp.multiply, x), ft.partial(jnp.multiply, x)):
        assert_equal(eqx.filter_vmap(callable_)(jnp.arange(4.0)), jnp.arange(4.0)[:, None, None] * x)


def test_the_instance_of_a_decorated_method_is_mapped():
    assert_equal(Model(x).mapped(jnp.arange(2.0)), jnp.sum(x, 1) * jnp.arange(2.0))
    assert_equal(Model.mapped(Model(x), jnp.arange(2.0)), Model(x).mapped(jnp.arange(2.0)))
    assert_equal(Model(x).shared(jnp.arange(4.0)), jnp.sum(x) * jnp.arange(4.0))


def test_ensembles_are_models_with_stacked_arrays():
    class Layer(eqx.Module):
        weight: jax.Array
        size: int

        def __init__(self, key):
            self.weight = jax.random.normal(key, (3,))
            self.size = 3

        def __call__(self, x):
            return jnp.dot(self.weight, x)

    keys = jax.random.split(jax.random.key(0), 4)
    ensemble = eqx.filter_vmap(Layer)(keys)
    assert type(ensemble) is Layer
    assert ensemble.size == 3
    assert ensemble.weight.shape == (4, 3)
    # Everything for one input, and one for each.
    call = lambda layer, x: layer(x)  # noqa: E731
    assert_equal(eqx.filter_vmap(call, in_axes=(eqx.if_array(0), None))(ensemble, x[0]), ensemble.weight @ x[0])
    inputs = jnp.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(eqx.filter_vmap(call)(ensemble, inputs), jnp.sum(ensemble.weight * inputs, 1), rtol=1e-6)


def test_key_arrays_are_arrays():
    keys = jax.random.split(jax.random.key(0), 6).reshape(2, 3)
    assert eqx.filter_vmap(lambda keys: keys[0], out_axes=0)(keys).shape == (2,)
    assert eqx.filter_vmap(lambda keys: keys, in_axes=1, out_axes=1)(keys).shape == (2, 3)


def test_keyword_arguments_are_an_error():
    with pytest.raises(RuntimeError, match=r"keyword arguments cannot be used.*filter_vmap.*`same`.*`a`"):
        eqx.filter_vmap(same)(a=x)


# What comes out


def test_what_is_no_array_comes_out_as_the_object_it_is():
    thing = object()
    y, text, returned, n = eqx.filter_vmap(lambda row: (row, "text", thing, 3))(x)
    assert_equal(y, x)
    assert (text, type(n)) == ("text", int)
    assert returned is thing


def test_numbers_are_broadcast_if_they_get_an_axis():
    assert_equal(eqx.filter_vmap(lambda row: 3, out_axes=0)(x), jnp.array([3, 3]))
    assert_equal(eqx.filter_vmap(lambda row: jnp.ones(3))(x), jnp.ones((2, 3)))
    assert_equal(eqx.filter_vmap(lambda row: x, out_axes=1)(x), jnp.stack([x, x], 1))


def test_other_things_that_get_an_axis_are_an_error_that_says_where():
    with pytest.raises(TypeError, match=r"out_axes.*\['a'\].*'text'"):
        eqx.filter_vmap(lambda row: {"a": "text"}, out_axes=0)(x)


def test_what_gets_no_axis_must_be_the_same_for_all():
    y, z = eqx.filter_vmap(lambda row: (row, jnp.ones(3)), out_axes=(0, None))(x)
    assert_equal((y, z), (x, jnp.ones(3)))
    with pytest.raises(ValueError, match=r"out_axes.*output\[0\]\.weight"):
        eqx.filter_vmap(lambda row: (Model(row), "text"), out_axes=None)(x)
    with pytest.raises(ValueError, match=r"out_axes.*output\['b'\]\[1\]"):
        eqx.filter_vmap(lambda row: {"a": "text", "b": (jnp.ones(2), row)}, out_axes=None)(x)


@given(st.data())
@settings(max_examples=30)
def test_mapped_axes_go_where_moveaxis_puts_them(data):
    rank = data.draw(st.integers(0, 2))
    in_axis, out_axis = (data.draw(st.integers(-rank - 1, rank)) for _ in range(2))
    stacked = np.arange(2 * 3**rank).reshape(2, *[3] * rank)
    found = eqx.filter_vmap(lambda y: (y, y[None]), in_axes=in_axis, out_axes=(out_axis, eqx.if_array(out_axis)))(
        np.moveaxis(stacked, 0, in_axis)
    )
    assert_equal(found, (np.moveaxis(stacked, 0, out_axis), np.moveaxis(stacked[:, None], 0, out_axis)))


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_out_of_bounds_is_an_error_that_says_where(axis):
    with pytest.raises(ValueError, match=rf"out_axes.*\[1\].*axis {axis} is out of bounds") as info:
        eqx.filter_vmap(lambda row: (row[None], row), out_axes=axis)(x)
    assert "-2 to 1" in str(info.value)


def test_out_axes_may_be_a_prefix_of_the_output():
    def function(row):
        return {"model": Model(row), "rest": [row, jnp.ones(2)]}

    found = eqx.filter_vmap(function, out_axes={"model": Model(1, None), "rest": [0, None]})(x)
    assert_equal(found, {"model": Model(x.T), "rest": [x, jnp.ones(2)]})
    with pytest.raises(ValueError, match=r"out_axes.*\['rest'\]"):
        eqx.filter_vmap(function, out_axes={"model": 0, "rest": (0, None)})(x)


# The size of the axis


def test_a_size_is_needed_only_if_nothing_is_mapped():
    assert_equal(eqx.filter_vmap(lambda: jnp.ones(2), axis_size=3)(), jnp.ones((3, 2)))
    assert_equal(eqx.filter_vmap(lambda y: (y, "text"), in_axes=None, axis_size=3)(x), (jnp.stack([x] * 3), "text"))
    assert_equal(eqx.filter_vmap(lambda y: y, axis_size=2)(x), x)
    with pytest.raises(ValueError, match="inconsistent sizes"):
        eqx.filter_vmap(lambda y: y, axis_size=3)(x)


def test_with_nothing_mapped_the_function_is_called_once_as_it_is():
    calls = []

    def function(y):
        calls.append(y)
        return y, "text"

    found = eqx.filter_vmap(function, in_axes=None, out_axes=None)(x)
    (seen,) = calls
    assert seen is x
    assert found[0] is x
    assert eqx.filter_vmap(lambda n: n + 1)(3) == 4


def test_with_nothing_mapped_an_axis_in_the_output_is_an_error():
    with pytest.raises(ValueError, match=r"`same`.*\[0\].*axis 1") as info:
        eqx.filter_vmap(same, in_axes=None, out_axes=1)(x)
    assert "axis_size" in str(info.value)


# Options of JAX


def test_a_named_axis_is_there_for_collectives():
    assert_equal(eqx.filter_vmap(lambda row: jax.lax.psum(row, "rows"), axis_name="rows", out_axes=None)(x), x.sum(0))


def test_further_options_are_handed_to_jax():
    assert_equal(eqx.filter_vmap(lambda row: row, spmd_axis_name="rows")(x), x)
    for arguments in ((), (same,)):
        with pytest.raises(TypeError, match="unknown"):
            eqx.filter_vmap(*arguments, unknown=1)


@pytest.mark.parametrize("option", ["default", "fn", "args", "kwargs", "out"])
def test_options_of_the_early_days_are_named_when_they_are_rejected(option):
    for arguments in ((), (same,)):
        with pytest.raises(ValueError, match=f"`filter_vmap`.*`{option}`"):
            eqx.filter_vmap(*arguments, **{option: None})


def test_bad_axes_are_rejected_at_once():
    for arguments in ((), (same,)):
        for options in ({"in_axes": 1.5}, {"out_axes": ("0",)}):
            with pytest.raises(ValueError, match=next(iter(options))):
                eqx.filter_vmap(*arguments, **options)


# What it is


def test_it_can_be_applied_in_every_way():
    for mapped in (
        eqx.filter_vmap(jnp.sum),
        eqx.filter_vmap()(jnp.sum),
        eqx.filter_vmap(in_axes=0)(jnp.sum),
        ft.partial(eqx.filter_vmap, out_axes=-1)(jnp.sum),
    ):
        assert_equal(mapped(x), x.sum(1))


def test_a_builtin_function_without_a_signature_can_be_mapped():
    # Mapping a comparison would need its outcome; calling it once does not.
    assert eqx.filter_vmap(max, in_axes=None, out_axes=None)(2, 3) == 3


def test_what_cannot_be_called_cannot_be_mapped():
    for value in (3, None, x):
        with pytest.raises(TypeError, match=type(value).__name__):
            eqx.filter_vmap(value)


def test_it_looks_like_the_function():
    def function(a: int, b: str = "b") -> None:
        """What it does."""

    mapped = eqx.filter_vmap(function, in_axes=(0, None))
    assert mapped.__wrapped__ is function
    assert inspect.unwrap(mapped) is function
    assert inspect.signature(mapped) == inspect.signature(function)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(mapped, name) == getattr(function, name)
    assert repr(eqx.filter_vmap(Model(x))) == "filter_vmap(Model(weight=f32[2,3]))"


def test_it_is_a_pytree_with_the_leaves_of_the_callable():
    mapped = eqx.filter_vmap(Model(x), in_axes={"x": 0}, out_axes=[0])
    weight, name = jax.tree.leaves(mapped)
    assert weight is x
    assert name == "name"
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, eqx.filter_vmap(Model(x)))
    assert_equal(doubled(jnp.ones(2)), jnp.stack([2 * x] * 2))
    crossed = eqx.filter_jit(lambda mapped: mapped)(eqx.filter_vmap(Model(x)))
    assert_equal(crossed(jnp.ones(2)), jnp.stack([x] * 2))
    for duplicate in (copy.copy, copy.deepcopy, lambda mapped: pickle.loads(pickle.dumps(mapped))):
        assert_equal(duplicate(eqx.filter_vmap(Model(x), in_axes=(0,)))(jnp.ones(2)), jnp.stack([x] * 2))
    assert eqx.filter_vmap(same, in_axes={"a": 0}) == eqx.filter_vmap(same, in_axes={"a": 0})
    assert eqx.filter_vmap(same, in_axes=0) != eqx.filter_vmap(same, in_axes=1)


def test_a_mapped_method_is_a_pytree_that_looks_like_the_method():
    method = Model(x).mapped
    assert method.__name__ == "mapped"
    assert method.__doc__ == "What it does."
    assert str(inspect.signature(method)) == "(x)"
    assert any(leaf is x for leaf in jax.tree.leaves(method))
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, method)
    assert_equal(doubled(jnp.ones(2)), 2 * x.sum(1))
    assert Model.mapped.__wrapped__(Model(x[0]), 2.0) == 2 * x[0].sum()


# With other transformations


def test_two_wrappers_of_one_function_share_their_programs():
    traces = []

    def function(row):
        traces.append(row)
        return 2 * row

    for _ in range(2):
        assert_equal(eqx.filter_jit(eqx.filter_vmap(function, in_axes={"row": 0}))(x), 2 * x)
    assert len(traces) == 1
    eqx.filter_jit(eqx.filter_vmap(function, in_axes=(1,)))(x)
    assert len(traces) == 2


def test_compiling_a_mapped_method_and_mapping_a_compiled_one_are_the_same():
    model, y = Model(x), jnp.arange(4.0)
    expected = jnp.sum(x) * y
    assert_equal(model.compiled(y), expected)
    assert_equal(eqx.filter_jit(model.shared)(y), expected)
    assert_equal(eqx.filter_vmap(eqx.filter_jit(lambda y: jnp.sum(model.weight) * y))(y), expected)
    with jax.disable_jit():
        assert_equal(model.compiled(y), expected)


def test_it_can_be_nested_and_differentiated():
    nested = eqx.filter_vmap(eqx.filter_vmap(lambda a, b: a * b, in_axes=(None, 0)), in_axes=(0, None))
    assert_equal(nested(x[0], x[1]), jnp.outer(x[0], x[1]))
    gradient = eqx.filter_grad(lambda model, x: jnp.sum(eqx.filter_vmap(model)(x)))(Model(x[0]), jnp.ones(4))
    assert_equal(gradient.weight, 4 * jnp.ones(3))
    per_example = eqx.filter_vmap(eqx.filter_grad(lambda model, y: jnp.sum(model(y) ** 2)), in_axes=(None, 0))
    assert_equal(per_example(Model(x[0]), jnp.arange(2.0)).weight, 2 * x[0] * jnp.arange(2.0)[:, None] ** 2)
    assert_equal(jax.vmap(eqx.filter_vmap(lambda y: 2 * y))(x), 2 * x)
