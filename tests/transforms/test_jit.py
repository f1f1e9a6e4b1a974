"""Compiling a function while tracing some leaves of its arguments: what goes in, what comes out, and the options."""

import functools as ft
import inspect
import math
import operator
import os
import pathlib
import subprocess
import sys
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx
from tests.strategies import leaves, pytrees


class Affine(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    activation: typing.Any = jax.nn.relu
    name: str = "affine"

    def __call__(self, x):
        return self.activation(self.weight * x + self.bias)

    def apply(self, x):
        return self(x)


def everything(leaf):
    return True


def nothing(leaf):
    return False


def is_tracer(leaf):
    return isinstance(leaf, jax.core.Tracer)


#: The two transformations, both tracing arrays.
JIT = [
    pytest.param(ft.partial(eqx.jitf, filter_fn=eqx.is_array), id="jitf"),
    pytest.param(eqx.filter_jit, id="filter_jit"),
]


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


# How to apply it


def test_jitf_wants_precisely_one_of_filter_fn_and_filter_tree():
    for options in ({}, {"filter_fn": nothing, "filter_tree": True}):
        for arguments in ((), (lambda x: x,)):
            with pytest.raises(ValueError, match=r"(?s)filter_fn.*filter_tree"):
                eqx.jitf(*arguments, **options)


def test_filter_fn_must_be_callable():
    with pytest.raises(TypeError, match="`filter_fn` of `jitf`"):
        eqx.jitf(lambda x: x, filter_fn=typing.cast(typing.Any, True))


def test_the_forms_of_jitf_are_equal():
    @ft.partial(eqx.jitf, filter_fn=everything)
    def by_partial(x):
        return is_tracer(x)

    @eqx.jitf(filter_fn=everything)
    def by_factory(x):
        return is_tracer(x)

    @eqx.jitf(filter_tree=(True, False), static_argnums=2, donate_argnames="x")
    def with_options(x, y, z):
        return is_tracer(x), str(is_tracer(y)), str(is_tracer(z))

    direct = eqx.jitf(is_tracer, filter_fn=everything)
    assert all(function(1) for function in (by_partial, by_factory, direct))
    assert with_options(1, 2, 3) == (True, "False", "False")


def test_the_forms_of_filter_jit_are_equal():
    @eqx.filter_jit
    def plain(x):
        return str(is_tracer(x))

    @eqx.filter_jit(donate="all")
    def by_factory(x):
        return str(is_tracer(x))

    @ft.partial(eqx.filter_jit, donate="all")
    def by_partial(x):
        return str(is_tracer(x))

    assert plain(np.ones(2)) == by_factory(np.ones(2)) == by_partial(np.ones(2)) == "True"
    assert eqx.filter_jit(fun=len)([1, 2]) == 2


@pytest.mark.parametrize("jit", JIT)
def test_all_kinds_of_callables_can_be_compiled(jit):
    class Callable:
        def __call__(self, x):
            return 2 * x

        def method(self, x):
            return 2 * x

        @classmethod
        def of_class(cls, x):
            return 2 * x

    x = jnp.array([1.0, 2.0])
    model = Affine(jnp.array(2.0), jnp.array(0.0))
    doublers = [
        lambda x: 2 * x,
        ft.partial(operator.mul, 2),
        eqx.Partial(operator.mul, jnp.array(2.0)),
        Callable(),
        Callable().method,
        Callable.of_class,
        model,
        model.apply,
        ft.partial(model, x=x),
        jax.jit(lambda x: 2 * x),
        jax.vmap(lambda x: 2 * x),
        jit(lambda x: 2 * x),
        jit(model),
        jit(model.apply),
        operator.methodcaller("__mul__", 2),
        ft.partial(jnp.multiply, 2),
    ]
    for double in doublers:
        arguments = () if getattr(double, "keywords", None) else (x,)
        compiled = jit(double)
        for _ in range(2):
            np.testing.assert_array_equal(compiled(*arguments), [2.0, 4.0])


@pytest.mark.parametrize("jit", JIT)
def test_callables_without_a_signature_can_be_compiled(jit):
    for function in (max, dict):
        with pytest.raises(ValueError, match="signature"):
            inspect.signature(function)
    assert jit(max)([1, 3, 2]) == 3
    output = jit(dict)({"a": np.ones(2)}, b=jnp.array(2.0))
    assert output.keys() == {"a", "b"}
    assert isinstance(output["a"], jax.Array)


@pytest.mark.parametrize("jit", JIT)
def test_a_class_can_be_compiled_like_any_other_callable(jit):
    model = jit(Affine)(np.ones(2), jnp.zeros(2), name="made")
    assert type(model) is Affine
    assert isinstance(model.weight, jax.Array)
    assert model.name == "made"


@pytest.mark.parametrize("jit", JIT)
def test_what_cannot_be_called_cannot_be_compiled(jit):
    with pytest.raises(TypeError, match=r"callable.*`int`"):
        jit(3)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("arguments", [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})])
def test_calls_that_do_not_fit_the_signature_fail_as_they_do_in_python(jit, arguments):
    args, kwargs = arguments

    def function(x, y=0):
        return x

    with pytest.raises(TypeError) as expected:
        inspect.signature(function).bind(*args, **kwargs)
    compiled = jit(function)
    compiled(1)
    with pytest.raises(TypeError) as info:
        compiled(*args, **kwargs)
    assert str(info.value) == str(expected.value)


@pytest.mark.parametrize("jit", JIT)
def test_an_error_in_the_function_comes_through_and_leaves_nothing_behind(jit):
    should_fail = True

    @jit
    def function(x):
        if should_fail:
            raise LookupError("from the function")
        return x

    for x in (jnp.ones(2), jnp.ones(2)):
        with pytest.raises(LookupError, match="from the function"):
            function(x)
    should_fail = False
    np.testing.assert_array_equal(function(jnp.ones(2)), [1, 1])


@pytest.mark.parametrize("jit", JIT)
def test_a_failing_callback_is_the_error_that_jax_raises(jit):
    def fail(x):
        raise LookupError("from the callback")

    def function(x):
        return jax.pure_callback(fail, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    x = jnp.ones(2)
    with pytest.raises(Exception, match="from the callback") as expected:
        jax.block_until_ready(jax.jit(function)(x))
    compiled = jit(function)
    for _ in range(2):
        with pytest.raises(type(expected.value), match="from the callback"):
            jax.block_until_ready(compiled(x))


# Static arguments


@pytest.mark.parametrize(
    ("options", "static"),
    [
        ({"static_argnums": 0}, "a"),
        ({"static_argnums": (0, 2)}, "ac"),
        ({"static_argnums": [1]}, "b"),
        ({"static_argnums": -1}, "c"),
        ({"static_argnums": (-2, 0)}, "ab"),
        ({"static_argnums": ()}, ""),
        ({"static_argnums": np.int64(1)}, "b"),
        ({"static_argnames": "b"}, "b"),
        ({"static_argnames": ["a", "c"]}, "ac"),
        ({"static_argnames": ("d",)}, "d"),
        ({"static_argnames": {"b", "d"}}, "bd"),
        ({"static_argnums": 0, "static_argnames": "d"}, "ad"),
        ({"static_argnums": 0, "static_argnames": "a"}, "a"),
    ],
)
@pytest.mark.parametrize("spelling", ["positional", "keyword", "mixed"])
def test_static_arguments_are_found_however_they_are_passed(options, static, spelling):
    @ft.partial(eqx.jitf, filter_fn=everything, **options)
    def function(a, b, c, *, d):
        return "".join(name for name, value in [("a", a), ("b", b), ("c", c), ("d", d)] if not is_tracer(value))

    for _ in range(2):
        if spelling == "positional":
            assert function(1, 2, 3, d=4) == static
        elif spelling == "keyword":
            assert function(d=4, c=3, b=2, a=1) == static
        else:
            assert function(1, d=4, c=3, b=2) == static


@pytest.mark.parametrize("form", ["direct", "decorator"])
def test_arguments_may_be_named_by_an_iterator(form):
    def function(a, b, c):
        return [str(is_tracer(value)) for value in (a, b, c)]

    options = {"static_argnames": iter(["b"]), "static_argnums": iter([0])}
    jit = ft.partial(eqx.jitf, filter_fn=everything)
    compiled = [jit(function, **options)] if form == "direct" else [*map(jit(**options), [function, function])]
    for each in compiled:
        assert each(1, 2, 3) == ["False", "False", "True"]
    x = jnp.ones(2)
    eqx.jitf(lambda a, b: 2 * b, filter_fn=everything, donate_argnames=iter(["b"]))(1.0, x)
    assert x.is_deleted()


def test_static_arguments_are_static_as_a_whole():
    @eqx.jitf(filter_fn=everything, static_argnums=0)
    def function(shape, x):
        assert all(type(size) is int for size in shape)
        return jnp.broadcast_to(x, shape)

    assert function((2, 3), 1.0).shape == (2, 3)
    assert function((4,), 1.0).shape == (4,)


def test_static_arguments_may_be_left_to_their_defaults():
    @eqx.jitf(filter_fn=everything, static_argnums=1, static_argnames="c")
    def function(a, b=2, *, c=3):
        return str(b), str(c)

    assert function(1) == ("2", "3")
    assert function(1, 5) == ("5", "3")
    assert function(1, c=5) == ("2", "5")


def test_static_arguments_can_lie_among_variable_ones():
    @eqx.jitf(filter_fn=everything, static_argnums=(1, -1), static_argnames="k")
    def function(*args, **kwargs):
        return [str(is_tracer(arg)) for arg in args], {name: str(is_tracer(arg)) for name, arg in kwargs.items()}

    assert function(1, 2, 3, 4, k=5, m=6) == (["True", "False", "True", "False"], {"k": "False", "m": "True"})


def test_static_arguments_compose_with_donation():
    # A negative number counts from the end for both.
    @eqx.jitf(filter_fn=everything, static_argnums=0, donate_argnums=-1)
    def function(n, x):
        return n * x

    x = jnp.ones(2)
    np.testing.assert_array_equal(function(3, x), [3, 3])
    assert x.is_deleted()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"static_argnums": 2}, "static_argnums"),
        ({"static_argnums": -3}, "static_argnums"),
        ({"static_argnames": "z"}, "static_argnames"),
        ({"donate_argnums": 2}, "donate_argnums"),
        ({"donate_argnames": "z"}, "donate_argnames"),
        ({"static_argnums": 0, "donate_argnums": 0}, "static_arg"),
        ({"static_argnames": "x", "donate_argnums": 0}, "static_arg"),
    ],
)
def test_naming_an_argument_that_the_function_does_not_have_fails_when_decorating(options, name):
    with pytest.raises(ValueError, match=name):
        jax.jit(lambda x, y: x, **options)
    with pytest.raises(ValueError, match=name):
        eqx.jitf(lambda x, y: x, filter_fn=everything, **options)


# The other options


@pytest.mark.parametrize("jit", JIT)
def test_unknown_options_fail_when_decorating(jit):
    for arguments in ((), (lambda x: x,)):
        with pytest.raises(TypeError, match="no_such_option"):
            jit(*arguments, no_such_option=1)


@pytest.mark.parametrize(
    "option", ["static_argnums", "static_argnames", "donate_argnums", "in_shardings", "out_shardings"]
)
def test_filter_jit_rejects_options_that_filtering_takes_the_place_of(option):
    for arguments in ((), (lambda x: x,)):
        with pytest.raises(ValueError, match=f"`{option}`"):
            eqx.filter_jit(*arguments, **{option: None})


@pytest.mark.parametrize("option", ["default", "fn", "args", "kwargs", "out"])
def test_filter_jit_rejects_options_that_it_had_in_its_early_days(option):
    for arguments in ((), (lambda x: x,)):
        with pytest.raises(ValueError, match=f"`{option}`"):
            eqx.filter_jit(*arguments, **{option: True})


def test_filter_jit_does_not_take_donate_argnames():
    with pytest.raises(ValueError, match="donate_argnames"):
        eqx.filter_jit(lambda x: x, donate_argnames="x")


@pytest.mark.parametrize("jit", JIT)
def test_inline_leaves_no_call_in_the_program_around_it(jit):
    def primitives(**options):
        function = jit(lambda x, n: x + n, **options)
        jaxpr = jax.make_jaxpr(lambda x: function(x, 1.0))(jnp.ones(2))
        return [equation.primitive.name for equation in jaxpr.eqns]

    assert primitives(inline=True) == ["add"]
    assert "add" not in primitives()


@pytest.mark.parametrize("jit", JIT)
def test_keep_unused_keeps_inputs_that_nothing_is_computed_from(jit):
    def inputs(**options):
        lowered = jit(lambda x, y, n: x + n, **options).lower(jnp.ones(2), jnp.ones(3), 1.0)
        return lowered.as_text().count("%arg1")

    assert inputs(keep_unused=True) > 0
    assert inputs() == 0


@pytest.mark.parametrize("jit", JIT)
def test_compiler_options_reach_the_compiler(jit):
    x = jnp.ones(2)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_option"):
        jit(lambda x: x + 1, compiler_options={"no_such_option": True})(x)
    compiled = jit(lambda x: x + 1, compiler_options={"xla_embed_ir_in_executable": True})
    np.testing.assert_array_equal(compiled(x), [2, 2])


@pytest.mark.filterwarnings("ignore:backend and device argument on jit is deprecated:DeprecationWarning")
@pytest.mark.parametrize("jit", JIT)
def test_device_and_backend_reach_jax(jit):
    (device,) = jax.devices("cpu")[:1]
    assert jit(lambda x, n: x + n, device=device)(np.ones(2), 1).devices() == {device}
    assert jit(lambda x, n: x + n, backend="cpu")(np.ones(2), 1).devices() == {device}
    with pytest.raises(RuntimeError, match="no_such_backend"):
        jit(lambda x: x, backend="no_such_backend")(np.ones(2))


# What it looks like


@pytest.mark.parametrize("jit", JIT)
def test_the_result_looks_like_the_function(jit):
    def function(x: int, /, y: "str" = "text", *args: float, z: bool, **kwargs: complex) -> None:
        """What it does."""

    compiled = jit(function)
    assert compiled.__wrapped__ is function
    assert inspect.unwrap(compiled) is function
    assert inspect.signature(compiled) == inspect.signature(function)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(compiled, name) == getattr(function, name)


@pytest.mark.parametrize("jit", JIT)
def test_the_program_is_named_after_the_function(jit):
    def some_function(x):
        return x + 1

    def name(function):
        x = jnp.ones(2)
        (equation,) = jax.make_jaxpr(lambda x: [jit(function)(x)])(x).eqns
        assert f"@jit_{equation.params['name']}" in jit(function).lower(x).as_text()
        return equation.params["name"]

    model = Affine(jnp.array(2.0), jnp.array(0.0))
    assert name(some_function) == "some_function"
    assert name(ft.partial(some_function)) == "some_function"
    assert name(ft.partial(ft.partial(some_function))) == "some_function"
    assert name(eqx.Partial(some_function)) == "some_function"
    assert name(jax.jit(some_function)) == "some_function"
    assert name(jit(some_function)) == "some_function"
    assert name(model) == "Affine"
    assert name(model.apply) == "apply"
    assert name(ft.partial(model)) == "Affine"


@pytest.mark.parametrize("jit", JIT)
def test_the_result_has_the_leaves_of_the_function_and_no_others(jit):
    model = Affine(jnp.array(2.0), jnp.array(1.0))
    compiled = jit(model)
    assert [id(leaf) for leaf in jax.tree.leaves(compiled)] == [id(leaf) for leaf in jax.tree.leaves(model)]
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, compiled)
    assert doubled(3.0) == 14
    assert compiled(3.0) == 7


def test_the_result_can_be_an_argument_of_jax_jit():
    class Scale(eqx.Module):
        factor: jax.Array

        def __call__(self, x):
            return self.factor * x

    for jit in (eqx.filter_jit(donate="none"), ft.partial(eqx.jitf, filter_fn=eqx.is_array, static_argnums=())):
        compiled = jit(Scale(jnp.array(2.0)))
        assert jax.jit(lambda function, x: function(x))(compiled, 3.0) == 6
        assert jax.jit(lambda function: function)(compiled)(3.0) == 6


@pytest.mark.parametrize("jit", JIT)
def test_the_result_stays_what_it_is_when_it_crosses_a_transformation(jit):
    def function(x, y=1):
        """What it does."""
        return x + y

    @jit
    def identity(compiled):
        return compiled

    for compiled in (jit(function), identity(jit(function)), jax.tree.map(lambda leaf: leaf, jit(function))):
        assert compiled.__name__ == "function"
        assert compiled.__doc__ == "What it does."
        assert inspect.signature(compiled) == inspect.signature(function)
        assert compiled(jnp.array(1.0)) == 2
        assert compiled.lower(jnp.array(1.0)).compile()(jnp.array(1.0)) == 2


@pytest.mark.parametrize("jit", JIT)
def test_methods_can_be_compiled_in_the_class_body(jit):
    class Model(eqx.Module):
        weight: jax.Array
        power: int

        @jit
        def apply(self, x):
            """What it does."""
            assert is_tracer(self.weight)
            assert type(self.power) is int
            return (self.weight * x) ** self.power

        @jit
        def __call__(self, x):
            return self.apply(x)

    model = Model(jnp.array(2.0), 3)
    assert model.apply(jnp.array(1.0)) == Model.apply(model, jnp.array(1.0)) == 8
    assert model(jnp.array(1.0)) == 8
    assert Model.apply is vars(Model)["apply"]
    assert model.apply.__name__ == "apply"
    assert model.apply.__doc__ == "What it does."
    assert list(inspect.signature(model.apply).parameters) == ["x"]
    assert model.apply.lower(jnp.array(1.0)).compile()(jnp.array(1.0)) == 8


def test_a_compiled_method_belongs_to_any_class():
    class Plain:
        def __init__(self, factor):
            self.factor = factor

        @eqx.filter_jit
        def apply(self, x):
            return self.factor * x

    assert Plain(2).apply(np.ones(2)).tolist() == [2, 2]
    assert Plain(3).apply(np.ones(2)).tolist() == [3, 3]


@pytest.mark.parametrize("jit", JIT)
def test_compiled_static_and_class_methods_do_what_python_does(jit):
    class Model(eqx.Module):
        weight: jax.Array

        @staticmethod
        @jit
        def of_none(x):
            return 2 * x

        @classmethod
        @jit
        def of_class(cls, x):
            return cls(2 * x)

    model = Model(jnp.array(1.0))
    for owner in (model, Model):
        assert owner.of_none(jnp.array(1.0)) == 2
        assert owner.of_class(jnp.array(1.0)).weight == 2


def test_decorating_starts_no_backend():
    program = """
import equinox, functools, jax
from jax._src import xla_bridge

class Model(equinox.Module):
    @equinox.filter_jit(donate="all")
    def method(self, x):
        return x

equinox.filter_jit(Model().method)
functools.partial(equinox.jitf, filter_fn=equinox.is_array, static_argnums=0)(lambda x: x)
assert not xla_bridge.backends_are_initialized()
equinox.filter_jit(lambda x: x)(1)
assert xla_bridge.backends_are_initialized()
"""
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
