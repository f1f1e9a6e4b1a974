"""Compiling a function while tracing some leaves of its arguments: what goes in and what comes out."""

import functools as ft
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx
from tests.jit_variants import JIT
from tests.strategies import leaves, pytrees


class Affine(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    activation: typing.Any = jax.nn.relu
    name: str = "affine"

    def __call__(self, x):
        return self.activation(self.weight * x + self.bias)


def nothing(leaf):
    return False


def is_tracer(leaf):
    return isinstance(leaf, jax.core.Tracer)


def assert_same_values(actual, expected):
    """Assert that two trees have one structure, equal numbers of one type, and else the same objects as leaves."""
    actual_leaves, actual_treedef = jax.tree.flatten(actual)
    expected_leaves, expected_treedef = jax.tree.flatten(expected)
    assert actual_treedef == expected_treedef
    for found, leaf in zip(actual_leaves, expected_leaves, strict=True):
        if eqx.is_array_like(leaf):
            number = jnp.asarray(leaf)
            assert isinstance(found, jax.Array)
            assert found.dtype == number.dtype
            np.testing.assert_array_equal(without_keys(found), without_keys(number))
        else:
            assert found is leaf


def without_keys(array):
    """The array, or the numbers in an array of random keys, which NumPy does not know."""
    return jax.random.key_data(array) if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) else array


# What is traced


def flatten_numbers(tree):
    """Return what came in, and something computed from every number in it."""
    return tree, [jnp.ravel(leaf) for leaf in jax.tree.leaves(tree) if eqx.is_array_like(leaf)]


def is_traceable(leaf):
    return eqx.is_array_like(leaf)


def must_be_traced(leaf):
    return isinstance(leaf, (jax.Array, np.ndarray))  # what cannot be hashed


@st.composite
def trees_and_choices(draw):
    """A tree, and for each of its leaves whether it is traced: any choice that JAX can trace."""
    tree = draw(pytrees())
    choice = [must_be_traced(leaf) or (is_traceable(leaf) and draw(st.booleans())) for leaf in jax.tree.leaves(tree)]
    return tree, jax.tree.unflatten(jax.tree.structure(tree), choice)


@given(trees_and_choices())
@settings(max_examples=40)
def test_compiled_functions_compute_the_same_for_every_choice_of_traced_leaves(tree_and_choice):
    tree, choice = tree_and_choice
    # In a tuple, because `None` alone, the choice for a tree without leaves, is no choice at all.
    assert_same_values(eqx.jitf(flatten_numbers, filter_tree=(choice,))(tree), flatten_numbers(tree))


@given(tree=pytrees(), filter_fn=st.sampled_from([eqx.is_array, eqx.is_array_like, must_be_traced]))
@settings(max_examples=40)
def test_compiled_functions_compute_the_same_for_every_filter(tree, filter_fn):
    assert_same_values(eqx.jitf(flatten_numbers, filter_fn=filter_fn)(tree), flatten_numbers(tree))


@given(st.lists(leaves(), max_size=4), st.dictionaries(st.sampled_from(["a", "b", "c"]), leaves()))
@settings(max_examples=40)
def test_compiled_functions_compute_the_same_for_all_ways_to_pass_arguments(args, kwargs):
    def function(*args, **kwargs):
        return flatten_numbers((args, kwargs))

    assert_same_values(eqx.jitf(function, filter_fn=eqx.is_array_like)(*args, **kwargs), function(*args, **kwargs))


@given(st.lists(pytrees(leaves() | st.sampled_from([-0.0, math.nan, complex(0, -0.0)]), 3), min_size=2, max_size=5))
@settings(max_examples=40)
def test_what_was_compiled_before_does_not_change_what_is_computed(trees):
    def describe(tree):
        texts = [repr(leaf) for leaf in jax.tree.leaves(tree) if not eqx.is_array(leaf)]
        return ", ".join(texts), flatten_numbers(tree)[1]

    for compiled in (eqx.filter_jit(describe), eqx.jitf(describe, filter_fn=must_be_traced)):
        for tree in trees:
            text, numbers = compiled(tree)
            expected_text, expected_numbers = describe(tree)
            assert text == expected_text
            assert_same_values(numbers, expected_numbers)


def test_jitf_traces_the_leaves_for_which_the_filter_returns_true():
    def function(a, b, *, c):
        return jax.tree.map(lambda leaf: str(is_tracer(leaf)), (a, b, c))

    by_kind = eqx.jitf(function, filter_fn=lambda leaf: isinstance(leaf, float))
    assert by_kind(1.0, [2, 3.0], c={"x": "text", "y": 4.0}) == ("True", ["False", "True"], {"x": "False", "y": "True"})


def test_filter_jit_traces_the_arrays_of_jax_and_numpy_and_nothing_else():
    kept = {"int": 1, "float": 1.0, "bool": True, "complex": 1j, "text": "text", "function": jnp.tanh, "none": None}
    struct = jax.ShapeDtypeStruct((2,), jnp.float32)
    seen = []

    @eqx.filter_jit
    def function(traced, kept, struct):
        assert all(is_tracer(leaf) for leaf in traced)
        seen.append((kept, struct))

    function([jnp.ones(2), np.ones(2), np.float32(1), np.bool_(True), jax.random.key(0)], kept, struct)
    ((seen_kept, seen_struct),) = seen
    assert all(seen_kept[name] is kept[name] for name in kept)
    assert seen_struct is struct


def test_jitf_calls_its_filter_once_for_each_leaf_of_all_arguments():
    asked = []

    def filter_fn(leaf):
        asked.append(leaf)
        return isinstance(leaf, float)

    eqx.jitf(lambda a, b, *, c, **rest: 0, filter_fn=filter_fn)("a", {"k": [1.0, "b"]}, c=(2.0, None), d="d")
    assert asked == ["a", 1.0, "b", 2.0, "d"]


def test_jitf_asks_its_filter_in_each_call():
    asked = []

    def filter_fn(leaf):
        asked.append(leaf)
        return isinstance(leaf, float)

    function = eqx.jitf(lambda a, b: 0, filter_fn=filter_fn)
    for _ in range(3):
        function("a", 1.0)
        function("a", "b")
    assert asked == ["a", 1.0, "a", "b"] * 3


def test_jitf_does_not_ask_its_filter_about_arguments_that_are_static_as_a_whole():
    asked = []

    def filter_fn(leaf):
        asked.append(leaf)
        return True

    function = eqx.jitf(lambda a, b, *, c: 0, filter_fn=filter_fn, static_argnums=1, static_argnames="c")
    function(1.0, ("b",), c="c")
    assert asked == [1.0]


def test_jitf_traces_leaves_that_filter_tree_marks():
    model = Affine(jnp.array(2.0), 1.0)
    marks = Affine(True, False, False, typing.cast(str, False))
    seen = []

    def function(model, x):
        seen.append((is_tracer(model.weight), model.bias, model.activation, model.name, is_tracer(x)))
        return model(x)

    assert eqx.jitf(function, filter_tree=(marks, True))(model, 3.0) == 7
    assert seen == [(True, 1.0, jax.nn.relu, "affine", True)]


def test_the_arrays_of_the_callable_are_inputs_of_the_program():
    class Model(eqx.Module):
        weight: jax.Array
        size: int

        def __call__(self, x):
            assert is_tracer(self.weight)
            assert type(self.size) is int
            return self.weight * x

        method = __call__

    model = Model(jnp.full(1000, 2.0), 3)
    for callable_ in (model, model.method, eqx.Partial(Model.__call__, model)):
        for jit in (eqx.filter_jit, ft.partial(eqx.jitf, filter_fn=nothing)):
            compiled = jit(callable_)
            np.testing.assert_array_equal(compiled(3.0), np.full(1000, 6.0))
            assert len(compiled.trace(3.0).jaxpr.jaxpr.invars) == 1
            assert not compiled.trace(3.0).jaxpr.consts


# What comes out


def test_jitf_returns_numbers_as_arrays_and_everything_else_as_the_object_that_it_is():
    other = [jnp.tanh, "text", object(), frozenset({1}), jax.ShapeDtypeStruct((2,), jnp.float32)]

    @ft.partial(eqx.jitf, filter_fn=eqx.is_array)
    def function(number):
        return number, 1.0, True, np.float32(2), np.arange(3), jnp.ones(2), other, None

    output = function(1)
    *arrays, out_other, nothing = output
    assert all(isinstance(array, jax.Array) for array in arrays)
    assert [array.dtype for array in arrays] == [jnp.int32, jnp.float32, jnp.bool_, jnp.float32, jnp.int32, jnp.float32]
    assert all(found is expected for found, expected in zip(out_other, other, strict=True))
    assert out_other is not other
    assert nothing is None


def test_filter_jit_returns_arrays_as_jax_arrays_and_everything_else_as_the_object_that_it_is():
    struct = jax.ShapeDtypeStruct((2,), jnp.float32)
    big = 10**30
    other = [jnp.tanh, "text", object(), {1}, struct, big, 1.5, True, 2j]

    @eqx.filter_jit
    def function(x):
        return (x, np.arange(3), np.float32(2), jax.random.key(0)), other

    for _ in range(2):
        arrays, out_other = function(jnp.ones(2))
        assert all(isinstance(array, jax.Array) for array in arrays)
        assert all(found is expected for found, expected in zip(out_other, other, strict=True))


@pytest.mark.parametrize("jit", JIT)
def test_a_whole_model_can_come_out(jit):
    @jit
    def step(model, x):
        return eqx.Partial(model, x), jax.tree.map(lambda leaf: leaf + 1 if eqx.is_array(leaf) else leaf, model)

    model = Affine(jnp.array(1.0), np.array(2.0, np.float32))
    applied, updated = step(model, jnp.array(3.0))
    assert type(updated) is Affine
    assert (updated.weight, updated.bias) == (2, 3)
    assert updated.activation is jax.nn.relu
    assert updated.name is model.name
    assert applied() == 5
    # What came out goes in again: nothing has changed but the values.
    assert jax.tree.structure(step(updated, jnp.array(3.0))[1]) == jax.tree.structure(updated)


@pytest.mark.parametrize("jit", JIT)
def test_objects_that_come_out_belong_to_the_program_that_was_run(jit):
    @jit
    def function(x, choice):
        return {"a": jnp.tanh, "b": jnp.sin, "c": "text"}[choice] if x.ndim else choice

    def check():
        assert function(jnp.ones(2), "a") is jnp.tanh
        assert function(jnp.ones(2), "b") is jnp.sin
        assert function(jnp.array(1.0), "b") == "b"
        assert function(jnp.ones(2), "c") == "text"

    check()
    check()


@pytest.mark.parametrize("jit", JIT)
def test_objects_of_any_kind_come_out_although_they_cannot_be_hashed_or_compared(jit):
    class Stubborn:  # noqa: PLW1641 # that is the point
        def __eq__(self, other):
            raise RuntimeError("not to be compared")

    stubborn = Stubborn()

    @jit
    def function(x):
        return x, stubborn

    for x in (jnp.ones(2), jnp.ones(2), jnp.ones(3)):
        assert function(x)[1] is stubborn


@pytest.mark.parametrize("jit", JIT)
def test_functions_may_return_nothing(jit):
    assert jit(lambda x: None)(jnp.ones(2)) is None
    assert jit(lambda: ())() == ()
