"""`explain` and `log_recompiles`: whether a compiled function is traced again, and why."""

import collections
import functools as ft
import gc
import math
import operator
import threading
import typing
import warnings
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import equinox as eqx
from equinox.debug import Difference, Explanation, RecompilationWarning, log_recompiles
from tests.jit_variants import JIT_AND_ANY_FILTER as JIT


class Layer(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)

    def __call__(self, x):
        return self.weight * x

    def method(self, x):
        return self.weight * x


class Model(eqx.Module):
    layers: typing.Any

    def __call__(self, x):
        return x

    @eqx.filter_jit
    def apply(self, x, n=2):
        return x * n


def make_function():
    return lambda: 0


def explain_second(first, second, jit=eqx.filter_jit, **kwargs):
    """How a call would differ from another one, which came before."""

    @jit
    def function(*args, **kwargs):
        return 0

    function(*first)
    return function.explain(*second, **kwargs)


def the_difference(first, second, **kwargs):
    explanation = explain_second(first, second, **kwargs)
    assert not explanation.hit
    (difference,) = explanation.differences
    return difference


# Whether a call is traced

X = jnp.ones(2)

CALLS = [
    (X,),
    (jnp.zeros(2),),
    (np.ones(2, np.float32),),
    (np.ones(2),),
    (jnp.ones(3),),
    (jnp.ones((2, 1)),),
    (jnp.ones(2, jnp.int32),),
    (jnp.asarray(1.0),),
    (jnp.ones(()),),
    (np.float32(1),),
    (jax.random.key(0),),
    (jax.random.key(1),),
    (1,),
    (1.0,),
    (True,),
    (0.0,),
    (-0.0,),
    (math.nan,),
    (float("nan"),),
    ("text",),
    (None,),
    (),
    (X, 1),
    (X, 2),
    ([X, 1],),
    ((X, 1),),
    ({"a": X},),
    ({"b": X},),
    (jax.ShapeDtypeStruct((5,), jnp.float32),),
    (Layer(X),),
    (Layer(jnp.zeros(2)),),
    (Layer(np.zeros(2, np.float32)),),
    (Layer(X, jnp.sin),),
    (Layer(X, size=2),),
    (Layer(1.0),),
    (Model([Layer(X)]),),
    (Model([Layer(X), Layer(X)]),),
    (jnp.tanh,),
    (make_function(),),
    (make_function(),),
]


@pytest.mark.parametrize("jit", JIT)
def test_an_explanation_is_a_hit_exactly_if_the_call_does_not_trace(jit):
    traces = []

    @jit
    def function(*args):
        traces.append(args)
        return 0

    for args in [*CALLS, *reversed(CALLS)]:
        before = len(traces)
        explanation = function.explain(*args)
        assert len(traces) == before
        if any(isinstance(arg, jax.ShapeDtypeStruct) for arg in args):
            continue  # stands for an array
        function(*args)
        assert explanation.hit == (len(traces) == before), args
        assert function.explain(*args).hit
    assert function.explain(X).traces == len(traces)


def test_traced_python_numbers_are_arrays_of_weak_type():
    function = eqx.jitf(lambda x: x, filter_fn=eqx.is_array_like)
    function(1.0)
    assert function.explain(2.5).hit
    assert function.explain(jnp.asarray(1.0)).hit
    assert [difference.kind for difference in function.explain(1).differences] == ["dtype"]
    assert [difference.kind for difference in function.explain(jnp.ones(())).differences] == ["weak type"]


def test_a_struct_may_stand_for_an_array():
    function = eqx.filter_jit(lambda layer, n: layer(n))
    function(Layer(X), 2)
    struct = jax.eval_shape(lambda: X)
    assert function.explain(Layer(struct), 2).hit
    (difference,) = function.explain(Layer(jax.ShapeDtypeStruct((3,), jnp.float32)), 2).differences
    assert difference.kind == "shape"


def test_the_spelling_of_a_call_does_not_matter():
    @eqx.filter_jit
    def function(a, b=1, *, c=2):
        return a

    function(X, 3, c=4)
    assert function.explain(c=4, b=3, a=X).hit
    assert not function.explain(X, c=4).hit


# Why it is traced


@pytest.mark.parametrize(
    ("first", "second", "place", "kind", "before", "after"),
    [
        ((X,), (jnp.ones(3),), "argument `args[0]`", "shape", "float32[2]", "float32[3]"),
        ((X,), (jnp.ones(2, int),), "argument `args[0]`", "dtype", "float32[2]", "int32[2]"),
        (
            (jnp.ones(()),),
            (jnp.asarray(1.0),),
            "argument `args[0]`",
            "weak type",
            "float32[]",
            "float32[] (weakly typed)",
        ),
        ((X, 1), (X, 2), "argument `args[1]`", "static", "a value of type `int`: 1", "a value of type `int`: 2"),
        ((X, 1), (X, True), "argument `args[1]`", "static", "a value of type `int`: 1", "a value of type `bool`: True"),
        ((1,), (X,), "argument `args[0]`", "kind", "a value of type `int`: 1", "an array (float32[2])"),
        ((X,), (1,), "argument `args[0]`", "kind", "an array (float32[2])", "a value of type `int`: 1"),
        (({"a": [X, 1]},), ({"a": [X, 2]},), "argument `args[0]`, leaf `['a'][1]`", "static", "1", "2"),
        ((Layer(X),), (Layer(X, jnp.sin),), "argument `args[0]`, leaf `.activation`", "static", "tanh", "sin"),
        ((Layer(X),), (Layer(X, size=2),), "argument `args[0]`, leaf `.size`", "static", "`int`: 1", "`int`: 2"),
        (
            (Model([Layer(X)]),),
            (Model([Layer(X, size=2)]),),
            "argument `args[0]`, leaf `.layers[0].size`",
            "static",
            "1",
            "2",
        ),
        ((Layer(X),), (Layer(None),), "argument `args[0]`, leaf `.weight`", "structure", "float32[2]", "`None`"),
        (([X],), ([X, X],), "argument `args[0]`", "structure", "a `list` with the children `[0]`", "`[0], [1]`"),
        (([X],), ((X,),), "argument `args[0]`", "structure", "a `list`", "a `tuple`"),
        (({"a": X},), ({"b": X},), "argument `args[0]`", "structure", "['a']", "['b']"),
        ((X,), (X, 1), "argument `args[1]`", "structure", "not given", "given"),
        ((X, 1), (X,), "argument `args[1]`", "structure", "given", "not given"),
        ((make_function(),), (make_function(),), "argument `args[0]`", "function", "make_function", "make_function"),
        ((X.at,), (X.at,), "argument `args[0]`", "static", "_IndexUpdateHelper", "_IndexUpdateHelper"),
        ((lambda: 0,), (lambda: 0,), "argument `args[0]`", "static", "<lambda>", "<lambda>"),
    ],
)
def test_what_differs_is_named_with_its_place_and_both_versions(first, second, place, kind, before, after):
    difference = the_difference(first, second)
    assert (difference.place, difference.kind) == (place, kind)
    assert before in difference.before
    assert after in difference.after
    assert all(part in str(difference) for part in (place, difference.before, difference.after))


@pytest.mark.parametrize(
    "remake",
    [
        pytest.param(lambda function: ft.partial(function, 1), id="functools.partial"),
        pytest.param(ft.lru_cache, id="functools.lru_cache"),
        pytest.param(jax.jit, id="jax.jit"),
    ],
)
def test_a_function_that_is_wrapped_anew_is_named_as_such(remake):
    assert the_difference((remake(make_function),), (remake(make_function),)).kind == "function"


def test_arguments_that_are_passed_by_keyword_are_named():
    @eqx.filter_jit
    def function(x, *, flag=False, **options):
        return x

    function(X, flag=True)
    (difference,) = function.explain(X, flag=False).differences
    assert difference == Difference(
        "argument `flag`", "static", "a value of type `bool`: True", "a value of type `bool`: False"
    )
    (difference,) = function.explain(X, flag=True, more=1).differences
    assert (difference.place, difference.before, difference.after) == ("argument `more`", "not given", "given")


def test_all_that_differs_from_the_nearest_call_is_named():
    function = eqx.filter_jit(lambda x, n, name: x)
    for n, name in [(1, "a"), (2, "b"), (3, "c")]:
        function(X, n, name)
    differences = function.explain(jnp.ones(3), 2, "c").differences
    assert {(difference.place, difference.before[-3:]) for difference in differences} == {
        ("argument `x`", "[2]"),
        ("argument `n`", ": 3"),
    }
    (difference,) = function.explain(X, 2, "a").differences  # with b and 1, the newer is taken
    assert difference.before.endswith("'b'")


def test_a_call_of_another_structure_is_compared_only_if_there_is_no_other():
    function = eqx.filter_jit(lambda x: 0)
    function({"a": [X, 1, 2, 3]})
    function([])
    assert [difference.kind for difference in function.explain({"a": [X, 4, 5, 6]}).differences] == ["static"] * 3


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [
        ("jax_default_matmul_precision", "None", "'highest'"),
        ("jax_numpy_dtype_promotion", "standard", "strict"),
        ("jax_numpy_rank_promotion", "allow", "raise"),
        ("jax_enable_x64", "False", "True"),
        ("jax_disable_jit", "False", "True"),
    ],
)
def test_settings_of_jax_that_differ_are_named(setting, before, after):
    function = eqx.filter_jit(lambda x, n: x * n)
    function(X, 1)
    old = getattr(jax.config, setting)
    jax.config.update(setting, {"'highest'": "highest", "True": True}.get(after, after))
    try:
        explanation = function.explain(X, 1)
    finally:
        jax.config.update(setting, old)
    (difference,) = explanation.differences
    assert (difference.place, difference.kind) == (f"`{setting}`", "setting")
    assert before in difference.before
    assert after in difference.after
    assert function.explain(X, 1).hit


def test_64_bit_arrays_are_what_they_become():
    traces = []

    @eqx.filter_jit
    def function(x):
        traces.append(x)
        return x

    function(X)
    assert function.explain(np.ones(2)).hit
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        assert {d.kind for d in function.explain(np.ones(2)).differences} == {"dtype", "setting"}
    finally:
        jax.config.update("jax_enable_x64", before)


def test_shardings_and_meshes_that_differ_are_named():
    mesh = jax.make_mesh((1,), ("devices",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:1])
    function = eqx.filter_jit(lambda x: x)
    function(X)
    on_mesh = jax.device_put(X, NamedSharding(mesh, PartitionSpec("devices")))
    (difference,) = function.explain(on_mesh).differences
    assert difference.kind == "sharding"
    assert "devices" in difference.after
    with jax.set_mesh(mesh):
        (difference,) = function.explain(X).differences
    assert (difference.place, difference.kind) == ("`the mesh`", "setting")
    assert function.explain(X).hit


# The callable


def test_a_method_compares_its_instance():
    model = Model([Layer(X)])
    assert not model.apply.explain(X).hit
    model.apply(X)
    assert model.apply.explain(X).hit
    assert Model([Layer(jnp.zeros(2))]).apply.explain(X).hit
    assert Model.apply.explain(model, X).hit
    (difference,) = Model([Layer(jnp.ones(3))]).apply.explain(X).differences
    assert (difference.place, difference.kind) == ("argument `self`, leaf `.layers[0].weight`", "shape")


@pytest.mark.parametrize("make", [lambda model: model, lambda model: model.method, eqx.Partial])
def test_a_callable_is_compared_with_others_like_it(make):
    class Own(Layer):
        """Compiled by this test only."""

    eqx.filter_jit(make(Own(X)))(1.0)
    assert eqx.filter_jit(make(Own(jnp.zeros(2)))).explain(1.0).hit
    (difference,) = eqx.filter_jit(make(Own(jnp.ones(3)))).explain(1.0).differences
    assert difference.kind == "shape"
    assert difference.place.startswith("callable `")
    assert ".weight`" in difference.place
    (difference,) = eqx.filter_jit(make(Own(X, size=2))).explain(1.0).differences
    assert difference.kind == "static"
    assert ".size`" in difference.place


def test_a_function_that_is_compiled_anew_from_the_same_code_is_named_as_such():
    def compiled():
        return eqx.filter_jit(lambda x: x)

    first = compiled()
    assert first.explain(X) == Explanation("<lambda>", False, (), 0)
    first(X)
    (difference,) = compiled().explain(X).differences
    assert (difference.place, difference.kind) == ("callable `<lambda>`", "function")
    assert __file__ in difference.before
    assert first.explain(X).hit


def test_a_function_that_was_forgotten_is_not_taken_for_another_one():
    function = eqx.filter_jit(lambda x: x)
    function(X)
    function.clear_cache()
    assert function.explain(X) == Explanation("<lambda>", False, (), 0)


@pytest.mark.parametrize("function", [operator.neg, ft.partial(operator.mul, 2), jnp.sin, dict])
def test_callables_without_a_signature_or_code_are_explained_too(function):
    compiled = eqx.filter_jit(function)
    eqx.clear_caches()
    assert compiled.explain(X).differences == ()
    arguments = () if function is dict else (X,)
    compiled(*arguments)
    assert compiled.explain(*arguments).hit
    assert not compiled.explain([jnp.ones(3)]).hit


def test_static_arguments_are_compared_as_a_whole():
    function = eqx.jitf(lambda x, shape: x, filter_fn=eqx.is_array, static_argnames="shape")
    function(X, (1, 2))
    assert function.explain(X, (1, 2)).hit
    (difference,) = function.explain(X, (1, 2.0)).differences
    assert difference.place == "argument `shape`"
    assert "(1, 2.0)" in difference.after


def test_other_options_are_another_function():
    def function(x):
        return x

    eqx.filter_jit(function)(X)
    assert not eqx.filter_jit(function, donate="all").explain(X).hit
    assert eqx.filter_jit(function).explain(X).hit


# What cannot be explained is an error


def test_calls_that_cannot_be_made_are_errors():
    function = eqx.filter_jit(lambda x: x)
    with pytest.raises(TypeError):
        function.explain()
    with pytest.raises(TypeError):
        function.explain(X, y=1)
    with pytest.raises(TypeError, match="argument `x`"):
        function.explain({1, 2})


class Picky:
    """A node that does not hold just anything."""

    def __init__(self, x):
        self.x = jnp.asarray(x)


class Converting:
    """A node that changes what it is given."""

    def __init__(self, x):
        self.x = str(x) if not eqx.is_array(x) else x


def children_of(node):
    return (node.x,), None


jax.tree_util.register_pytree_node(Picky, children_of, lambda _, children: Picky(*children))
jax.tree_util.register_pytree_node(Converting, children_of, lambda _, children: Converting(*children))


@pytest.mark.parametrize("kind", [Picky, Converting])
def test_nodes_that_cannot_hold_descriptions_are_compared_all_the_same(kind):
    difference = the_difference((kind(X),), (kind(jnp.ones(3)),))
    assert (difference.kind, difference.before, difference.after) == ("shape", "float32[2]", "float32[3]")
    assert not explain_second((kind(X),), ([X],)).hit


# For people


def test_an_explanation_reads_as_text():
    @eqx.filter_jit
    def power(x, n):
        return x**n

    assert "`power` has not been traced yet" in str(power.explain(X, 2))
    power(X, 2)
    assert "would not be traced" in str(power.explain(X, 2))
    text = str(power.explain(jnp.ones(3), 2))
    assert "`power`" in text
    assert "argument `x`: shape was float32[2], is float32[3]" in text
    assert "only trace" in text
    power(jnp.ones(3), 2)
    assert "2 traces" in str(power.explain(X, 3))


@pytest.mark.parametrize(
    ("first", "second", "advice"),
    [
        (jnp.ones(()), jnp.asarray(1.0), "jnp.asarray(..., dtype)"),
        (X, jnp.ones(2, int), "jnp.asarray(..., dtype)"),
        (X, jnp.ones(3), "padding"),
        (make_function(), make_function(), "make it once"),
        (1, 2, "an array"),
        (object(), object(), "`__eq__`"),
        (1, jnp.array(1), "Pass an array"),
        ([1], (1,), "structure"),
    ],
)
def test_the_text_says_what_to_do(first, second, advice):
    assert advice in str(explain_second((first,), (second,)))


# What is kept


def test_explaining_keeps_no_array():
    function = eqx.filter_jit(lambda layer, x: x)
    layer, x = Layer(jnp.ones(2)), jnp.ones(2)
    with log_recompiles(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(layer, x)
        function(layer, x[:1])
        explanations = [function.explain(layer, x), function.explain(layer, jnp.ones(3))]
    references = [weakref.ref(layer), weakref.ref(layer.weight), weakref.ref(x)]
    del layer, x
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert len(explanations) == 2


def test_a_history_goes_with_the_function():
    def function(x):
        return x

    with log_recompiles():
        eqx.filter_jit(function)(X)
        eqx.filter_jit(function).explain(function)
    reference = weakref.ref(function)
    del function
    gc.collect()
    assert reference() is None


# Warnings


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [warning for warning in caught if issubclass(warning.category, RecompilationWarning)]


def test_each_trace_but_the_first_is_a_warning_with_its_reason_and_the_users_line():
    function = eqx.filter_jit(lambda x, n: x)
    with log_recompiles():
        assert warned(lambda: function(X, 1)) == []
        assert warned(lambda: function(X, 1)) == []
        (warning,) = warned(lambda: function(X, 2))
        assert "argument `n`: static value was a value of type `int`: 1" in str(warning.message)
        assert warning.filename == __file__
        (warning,) = warned(lambda: function(jnp.ones(3), 2))
        assert "argument `x`: shape was float32[2], is float32[3]" in str(warning.message)
        assert warned(lambda: function(jnp.ones(3), 2)) == []


def test_a_function_that_is_made_anew_is_a_warning():
    def use():
        return eqx.filter_jit(lambda x: x)(X)

    with log_recompiles():
        assert warned(use) == []
        (warning,) = warned(use)
    assert "callable `<lambda>`: function was another function" in str(warning.message)
    assert "make it once" in str(warning.message)


def test_functions_that_take_turns_are_a_warning_each_time_that_they_are_traced():
    with log_recompiles():
        functions = [eqx.filter_jit(ft.partial(operator.mul, jnp.full(2, i))) for i in range(3)]
        assert warned(lambda: [function(X) for function in functions]) == []

        made = [eqx.filter_jit(lambda x: x) for _ in range(3)]
        assert len(warned(lambda: [function(X) for function in made])) == 2
        assert warned(lambda: [function(X) for function in made]) == []


def test_a_trace_that_nothing_visible_calls_for_is_a_warning_too():
    function = eqx.filter_jit(lambda x: 2 * x)
    with log_recompiles():
        assert len(warned(lambda: [function(X), jax.clear_caches(), function(X)])) == 1
        (warning,) = warned(lambda: jax.vmap(function, axis_name="named")(jnp.ones((3, 2))))
    assert "named axis" in str(warning.message)


def test_methods_and_models_are_named_in_warnings():
    with log_recompiles():
        Model([Layer(X)]).apply(X)
        (warning,) = warned(lambda: Model([Layer(X, size=9)]).apply(X))
    assert "argument `self`, leaf `.layers[0].size`" in str(warning.message)


def test_without_the_switch_nothing_is_said():
    function = eqx.filter_jit(lambda x: x)
    assert warned(lambda: [function(jnp.ones(n)) for n in range(3)]) == []


def test_the_switch_is_a_function_and_a_context_manager():
    function = eqx.filter_jit(lambda x: x)
    sizes = iter(range(20))
    function(jnp.ones(next(sizes)))

    def is_on():
        return bool(warned(lambda: function(jnp.ones(next(sizes)))))

    assert not is_on()
    log_recompiles()
    try:
        assert is_on()
        with log_recompiles(False):
            assert not is_on()
            with log_recompiles():
                assert is_on()
            assert not is_on()
        assert is_on()
        log_recompiles()
    finally:
        log_recompiles(False)
    assert not is_on()
    with pytest.raises(KeyError), log_recompiles():
        raise KeyError
    assert not is_on()


def test_a_warning_that_is_an_error_comes_out_of_the_call():
    function = eqx.filter_jit(lambda x: x)
    function(X)
    with log_recompiles(), warnings.catch_warnings():
        warnings.simplefilter("error", RecompilationWarning)
        with pytest.raises(RecompilationWarning):
            function(jnp.ones(3))
    assert function(jnp.ones(3)).shape == (3,)


def test_threads_can_be_explained_to():
    function = eqx.filter_jit(lambda x, n: x * n)
    hits = collections.deque()

    def work(index):
        for i in range(20):
            n = (index + i) % 7
            function.explain(X, n)
            function(X, n)
            hits.append(function.explain(X, n).hit)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(hits) == 80
    assert all(hits)
    assert function.explain(X, 0).traces == 7


def test_a_function_that_is_its_own_argument_is_shown_as_it_is():
    def function(other, x):
        return x

    compiled = eqx.filter_jit(function)
    compiled(function, jnp.ones(3))
    (difference,) = eqx.aot(compiled).explain(jnp.sin, jnp.ones(3)).differences
    assert difference.place == "argument `other`"
    assert repr(function)[:40] in difference.before
    partial = eqx.filter_jit(eqx.Partial(function, function))
    partial(jnp.ones(3))
    differences = eqx.aot(eqx.filter_jit(eqx.Partial(function, jnp.sin))).explain(jnp.ones(3)).differences
    assert "Anchor" not in str(differences)


def test_the_instance_of_a_method_is_called_as_in_python():
    class Scale(eqx.Module):
        factor: jax.Array

        @eqx.filter_jit
        def compiled(self, x):
            return self.factor * x

        def method(self, x):
            return self.factor * x

    function = eqx.filter_jit(lambda method, x: method(x))
    for name in ("compiled", "method"):
        function(getattr(Scale(jnp.ones(2)), name), 1.0)
        (difference,) = eqx.aot(function).explain(getattr(Scale(jnp.ones(3)), name), 1.0).differences
        assert difference.place == "argument `method`, leaf `.__self__.factor`"
