"""Compiling ahead of time: tracing, lowering and compiling are steps of their own."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import stages

import equinox as eqx
from tests.jit_variants import JIT

each_jit = pytest.mark.parametrize("jit", JIT)


class Model(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)

    def __call__(self, x):
        return self.size * self.weight * x

    def method(self, x):
        return self(x)

    @eqx.filter_jit
    def compiled_method(self, x, *, n=1):
        return n * self(x), "text"


def function(x, n, *, tree=None):
    return x * n, {"n": n, "tree": tree, "function": jnp.tanh}


def struct(shape=(2,), dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


x = jnp.array([1.0, 2.0])


# The steps


@each_jit
def test_a_compiled_program_takes_the_arguments_of_the_function_and_returns_all_of_its_output(jit):
    compiled = jit(function).lower(x, 3, tree={"a": x, "b": "text"}).compile()
    for factor in (1.0, 2.0):
        y, rest = compiled(factor * x, 3, tree={"a": factor * x, "b": "text"})
        np.testing.assert_array_equal(y, 3 * factor * x)
        np.testing.assert_array_equal(rest["tree"]["a"], factor * x)
        assert rest["n"] == 3
        assert rest["tree"]["b"] == "text"
        assert rest["function"] is jnp.tanh


@each_jit
def test_the_spelling_of_the_call_does_not_matter(jit):
    compiled = jit(function).lower(n=3, x=x).compile()
    np.testing.assert_array_equal(compiled(x, 3)[0], 3 * x)
    np.testing.assert_array_equal(compiled(n=3, x=x)[0], 3 * x)


@each_jit
def test_each_step_holds_the_object_of_jax(jit):
    traced = jit(function).trace(x, 3)
    lowered = traced.lower()
    compiled = lowered.compile()
    assert isinstance(traced.traced, stages.Traced)
    assert isinstance(lowered.lowered, stages.Lowered)
    assert isinstance(compiled.compiled, stages.Compiled)


@each_jit
def test_the_steps_can_be_looked_into(jit):
    def some_function(x, n):
        return jnp.sin(x) * n

    traced = jit(some_function).trace(x, 3)
    assert "sin" in str(traced.jaxpr)
    assert [aval.shape for aval in traced.jaxpr.in_avals] == [(2,)]
    lowered = traced.lower()
    assert "sine" in lowered.as_text()
    assert "some_function" in lowered.as_text()
    assert "sine" in lowered.as_text("stablehlo")
    compiled = lowered.compile()
    assert "some_function" in compiled.as_text()
    for step in (lowered, compiled):
        assert step.cost_analysis()["flops"] > 0
    assert compiled.memory_analysis().argument_size_in_bytes == 8


@each_jit
def test_nothing_is_computed_before_the_program_is_called(jit):
    runs = []

    def with_effect(x):
        jax.debug.callback(runs.append, 1)
        return x

    compiled = jit(with_effect).lower(x).compile()
    jax.effects_barrier()
    assert not runs
    jax.block_until_ready(compiled(x))
    jax.effects_barrier()
    assert runs == [1]


@each_jit
def test_tracing_ahead_of_time_saves_tracing_later(jit):
    traces = []

    @jit
    def counted(x, n):
        traces.append(n)
        return x * n

    for _ in range(2):
        counted.trace(x, 3)
        counted.lower(struct(), 3)
        counted.eval_shape(x, 3)
        counted(x, 3)
    assert traces == [3]
    counted.lower(x, 4)
    assert traces == [3, 4]


# Shapes


@each_jit
def test_structs_stand_for_arrays(jit):
    compiled = jit(function).lower(struct(), 3, tree={"a": struct((3,), jnp.int32), "b": "text"}).compile()
    y, rest = compiled(x, 3, tree={"a": jnp.arange(3), "b": "text"})
    np.testing.assert_array_equal(y, 3 * x)
    np.testing.assert_array_equal(rest["tree"]["a"], [0, 1, 2])


def test_structs_stand_for_the_arrays_of_models():
    model = Model(x)
    shape_of_model = jax.tree.map(lambda leaf: struct(leaf.shape) if eqx.is_array(leaf) else leaf, model)
    assert eqx.filter_jit(lambda model, x: model(x)).lower(shape_of_model, struct()).compile()(model, x).shape == (2,)
    assert "multiply" in shape_of_model.compiled_method.lower(struct()).as_text()


@each_jit
def test_structs_stand_for_the_arrays_of_the_callable(jit):
    for callable_ in (Model(struct()), Model(struct()).method, eqx.Partial(jnp.multiply, struct())):
        assert "multiply" in jit(callable_).lower(struct()).as_text()
        assert jit(callable_).eval_shape(struct()).shape == (2,)


@each_jit
def test_structs_keep_their_weak_type(jit):
    compiled = jit(lambda x: x).lower(jax.ShapeDtypeStruct((), jnp.float32, weak_type=True)).compile()
    assert compiled(jnp.asarray(1.0)).weak_type


def test_a_struct_in_a_call_is_a_static_leaf():
    assert eqx.filter_jit(lambda leaf: leaf)(struct()) == struct()
    assert eqx.filter_jit(lambda leaf: leaf.shape)(struct()) == (2,)
    assert eqx.filter_jit(lambda leaf: leaf.shape[0])(struct((3,))) == 3


@each_jit
def test_eval_shape_returns_structs_for_arrays_and_everything_else_as_it_is(jit):
    other = [jnp.tanh, jax.nn.relu, jax.nn.gelu, struct((7,)), x.sharding, jax.devices("cpu")[0], "text", object()]

    def function(x):
        return {"y": jnp.outer(x, x), "key": jax.random.key(0), "model": Model(x), "none": None}, other

    shapes, others = jit(function).eval_shape(struct())
    assert all(found is expected for found, expected in zip(others, other, strict=True))
    expected = jax.eval_shape(lambda x: eqx.filter(function(x)[0], eqx.is_array), struct())
    assert shapes["y"] == expected["y"]
    assert (shapes["key"].shape, shapes["key"].dtype) == (expected["key"].shape, expected["key"].dtype)
    assert isinstance(shapes["model"], Model)
    assert shapes["model"].weight == struct()
    assert shapes["model"].activation is jnp.tanh
    assert shapes["none"] is None


@each_jit
def test_eval_shape_keeps_weak_types(jit):
    for x in (jnp.asarray(1.0), jnp.ones(())):
        shape = jit(lambda x: x * 1).eval_shape(x)
        assert isinstance(shape, jax.ShapeDtypeStruct)
        assert shape.weak_type == x.weak_type


def test_eval_shape_agrees_with_calling():
    assert eqx.jitf(lambda x: (x, 1), filter_fn=eqx.is_array_like).eval_shape(2.0) == jax.eval_shape(
        lambda x: (x, 1), 2.0
    )
    number, one = eqx.filter_jit(lambda x: (x, 1)).eval_shape(2.0)
    assert (number, one) == (2.0, 1)


# Calls that do not fit


@each_jit
def test_arrays_of_another_shape_are_jaxs_error(jit):
    compiled = jit(function).lower(x, 3).compile()
    for other in (jnp.ones(3), jnp.ones(2, jnp.int32), jnp.ones((2, 1))):
        with pytest.raises(TypeError, match=r"(?s)float32\[2\]"):
            compiled(other, 3)


@each_jit
def test_the_error_of_jax_names_the_leaf_that_differs(jit):
    model = Model(x, size=1)
    compiled = jit(lambda first, model, *, last: first).lower(x, model, last=[x]).compile()
    for first, weight, last, place in [
        (jnp.ones(3), x, x, "argument `first` compiled with float32[2] and called with float32[3]"),
        (x, jnp.ones(3), x, "argument `model`, leaf `.weight` compiled with float32[2] and called with float32[3]"),
        (x, x, jnp.ones(3), "argument `last`, leaf `[0]` compiled with float32[2] and called with float32[3]"),
    ]:
        with pytest.raises(TypeError) as info:
            compiled(first, Model(weight, size=1), last=[last])
        assert place in str(info.value)
    own = jit(model.method).lower(x).compile()
    with pytest.raises(TypeError, match="argument `x` compiled with"):
        own(jnp.ones(3))


@each_jit
@pytest.mark.parametrize("other", [4, 3.0, True, "text", None, object()])
def test_other_static_arguments_are_an_error_that_names_them(jit, other):
    compiled = jit(function).lower(x, 3).compile()
    with pytest.raises(TypeError, match=r"(?s)`function`") as info:
        compiled(x, other)
    message = str(info.value)
    if other is not None:  # which has no leaf that could be named
        assert "argument `n`" in message
        assert "3" in message
        assert repr(other) in message
    np.testing.assert_array_equal(compiled(x, 3)[0], 3 * x)


@each_jit
def test_the_error_names_the_key_path_of_what_differs(jit):
    compiled = jit(function).lower(x, 3, tree={"a": [1, "text"], "b": x}).compile()
    with pytest.raises(TypeError, match=r"(?s)`tree`.*`\['a'\]\[1\]`.*'text'.*'other'"):
        compiled(x, 3, tree={"a": [1, "other"], "b": x})
    with pytest.raises(TypeError, match=r"(?s)`tree`.*`\['b'\]`"):
        compiled(x, 3, tree={"a": [1, "text"], "b": 4})
    with pytest.raises(TypeError, match=r"(?s)`x`"):
        compiled(1.0, 3, tree={"a": [1, "text"], "b": x})


@each_jit
def test_arguments_of_another_structure_are_an_error(jit):
    compiled = jit(function).lower(x, 3).compile()
    for args, kwargs in [((x,), {}), ((x, 3, 4), {}), ((), {}), (([x], 3), {}), ((x, 3), {"tree": 1})]:
        with pytest.raises(TypeError):
            compiled(*args, **kwargs)
    with pytest.raises(TypeError, match=r"argument `model`, leaf `.size` was .*: 1, and is .*: 2\."):
        jit(lambda model: model.size).lower(Model(x, size=1)).compile()(Model(x, size=2))


@each_jit
def test_the_error_says_where_the_structure_differs(jit):
    compiled = jit(lambda x, tree=None, **more: x).lower(x, {"a": [x, 1]}, b=x).compile()
    for args, kwargs, text in [
        ((x, {"a": x}), {"b": x}, r"argument `tree`, leaf `\['a'\]` was a `list` .*, and is an array\."),
        ((x, {"a": [(x,), 1]}), {"b": x}, r"argument `tree`, leaf `\['a'\]\[0\]` was an array, and is a `tuple`"),
        ((x,), {"b": x}, "argument `tree` was given, and is not given"),
        ((x, {"a": [x, 1]}), {}, "argument `b` was given, and is not given"),
        ((x, {"a": [x, 1]}), {"b": x, "c": x}, "argument `c` was not given, and is given"),
    ]:
        with pytest.raises(TypeError, match=text):
            compiled(*args, **kwargs)


def test_nodes_that_cannot_hold_descriptions_are_shown_as_jax_shows_them():
    class Strict:
        def __init__(self, x):
            assert isinstance(x, (jax.Array, np.ndarray)), "no array"
            self.x = x

    jax.tree_util.register_pytree_node(Strict, lambda node: ((node.x,), None), lambda _, children: Strict(*children))
    compiled = eqx.filter_jit(lambda x: jax.tree.leaves(x)[0]).lower([Strict(x)]).compile()
    with pytest.raises(TypeError, match=r"the structure was .*Strict"):
        compiled((Strict(x),))


def test_calls_without_keywords_differ_from_calls_with():
    compiled = eqx.filter_jit(lambda x, *, y=1, z=1: (x, y, z)).lower(x, y=2).compile()
    with pytest.raises(TypeError):
        compiled(x, z=2)
    with pytest.raises(TypeError):
        compiled(x)
    assert compiled(x, y=2)[1:] == (2, 1)


@each_jit
def test_lowering_for_arguments_that_do_not_fit_the_signature_is_pythons_error(jit):
    with pytest.raises(TypeError, match="missing a required argument: 'n'"):
        jit(function).lower(x)


@each_jit
def test_static_leaves_must_be_hashable(jit):
    with pytest.raises(TypeError, match=r"(?s)Non-hashable static arguments.*`n`"):
        jit(function).lower(x, {1})
    compiled = jit(function).lower(x, 1).compile()
    with pytest.raises(TypeError):
        compiled(x, {1})


@each_jit
def test_traced_leaves_must_be_something_that_jax_can_represent(jit):
    compiled = eqx.jitf(lambda model: 0, filter_fn=lambda leaf: True)
    for step in (compiled.lower, compiled.trace, compiled.eval_shape):
        with pytest.raises(TypeError, match=r"(?s)`model`.*`\['a'\]`"):
            step({"a": "text"})


@each_jit
def test_an_error_of_the_function_is_not_taken_for_one_of_its_arguments(jit):
    @jit
    def failing(x, n):
        raise TypeError("from the function")

    for step in (failing.lower, failing.trace, failing.eval_shape):
        with pytest.raises(TypeError, match="from the function") as info:
            step(struct(), 3)
        assert "argument" not in str(info.value)


def test_a_struct_for_an_array_that_the_filter_does_not_select_is_an_error():
    compiled = eqx.jitf(lambda x: x, filter_fn=eqx.is_inexact_array)
    assert compiled.lower(struct()).compile()(x).shape == (2,)
    for argument in (struct(dtype=jnp.int32), jnp.arange(2)):
        with pytest.raises(TypeError, match=r"(?s)static.*hashed"):
            compiled.lower(argument)


# Options


@each_jit
def test_compiler_options_are_given_when_compiling(jit):
    lowered = jit(function).lower(x, 3)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_option"):
        lowered.compile({"no_such_option": True})
    with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_option"):
        lowered.compile(compiler_options={"no_such_option": "yes"})
    compiled = lowered.compile({"xla_embed_ir_in_executable": True})
    np.testing.assert_array_equal(compiled(x, 3)[0], 3 * x)


def test_static_arguments_are_passed_again():
    jitted = eqx.jitf(jnp.broadcast_to, filter_fn=eqx.is_array, static_argnums=1)
    compiled = jitted.lower(x, (3, 2)).compile()
    assert compiled(x, (3, 2)).shape == (3, 2)
    assert compiled(x, shape=(3, 2)).shape == (3, 2)
    with pytest.raises(TypeError, match=r"(?s)`shape`.*\(3, 2\).*\(4, 2\)"):
        compiled(x, (4, 2))


def test_traced_python_numbers_may_change():
    compiled = eqx.jitf(lambda x, n: x * n, filter_fn=eqx.is_array_like).lower(x, 3).compile()
    np.testing.assert_array_equal(compiled(x, 5), 5 * x)


# Callables with arrays, and methods


def test_the_arrays_of_the_callable_stay_inputs():
    for callable_ in (Model(x), Model(x).method, eqx.Partial(Model.__call__, Model(x))):
        lowered = eqx.filter_jit(callable_).lower(x)
        assert len(lowered.lowered.in_avals[0]) == 2
        np.testing.assert_array_equal(lowered.compile()(x), x * x)


def test_methods_are_compiled_for_their_instance():
    model = Model(x)
    lowered = model.compiled_method.lower(x, n=2)
    y, text = lowered.compile()(x, n=2)
    np.testing.assert_array_equal(y, 2 * x * x)
    assert text == "text"
    with pytest.raises(TypeError, match="`n`"):
        lowered.compile()(x, n=3)
    assert model.compiled_method.eval_shape(x)[0].shape == (2,)
    assert "compiled_method" in model.compiled_method.trace(x).lower().as_text()
    # Read from the class, it takes the instance.
    np.testing.assert_array_equal(Model.compiled_method.lower(model, x).compile()(model, x)[0], x * x)


@pytest.mark.device
def test_programs_run_on_any_device():
    compiled = eqx.filter_jit(function).lower(struct(), 3).compile()
    y, rest = compiled(jnp.array([1.0, 2.0]), 3)
    np.testing.assert_array_equal(y, [3, 6])
    assert y.devices() == {jax.devices()[0]}
    assert rest["function"] is jnp.tanh
