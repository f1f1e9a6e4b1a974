"""Which calls share a compiled program, and what is kept after a call."""

import collections
import copy
import enum
import functools as ft
import gc
import inspect
import math
import typing
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._transforms.dispatch import Dispatcher
from tests.jit_variants import JIT_AND_ANY_FILTER as JIT


class Model(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)

    def __call__(self, x):
        return x

    def method(self, x):
        return x


class Color(enum.IntEnum):
    RED = 1
    GREEN = 2


class EqualToAll:
    """Equal to everything, but not of its type."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class Named:
    """Equal by name."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return type(other) is Named and self.name == other.name

    def __hash__(self):
        return hash(self.name)


def count_traces(jit, *calls):
    """How often a compiled function is traced when it is called with each of these in turn, and each again."""
    traces = []

    @jit
    def function(*args, **kwargs):
        traces.append(None)
        return 0

    counts = []
    for args in (*calls, *calls):
        function(*args)
        counts.append(len(traces))
    assert counts[-1] == counts[len(calls) - 1], "traced again for what it had been traced for"
    return counts[-1]


# Retracing


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (jnp.ones(2), jnp.zeros(2)),
        (jnp.ones(2), np.ones(2, np.float32)),
        (jnp.asarray(1.0), jnp.asarray(2.0)),  # both weakly typed
        (jax.random.key(0), jax.random.key(1)),
        ({"a": 1, "b": jnp.ones(2)}, {"b": jnp.zeros(2), "a": 1}),
        (1, 1),
        (10**30, 10**30),
        (1.5, 1.5),
        (math.nan, float("nan")),
        (complex(math.nan, -0.0), complex(math.nan, -0.0)),
        ("text", "text".lower()),
        (Named("a"), Named("a")),
        (frozenset({1, 2}), frozenset({2, 1})),
        (None, None),
        (Model(jnp.ones(2)), Model(jnp.zeros(2))),
        (Model(jnp.ones(2)).method, Model(jnp.zeros(2)).method),
        (Model(np.ones(2, np.float32)), Model(jnp.zeros(2))),
        (Color.RED, Color(1)),
        (jax.ShapeDtypeStruct((2,), jnp.float32), jax.ShapeDtypeStruct((2,), jnp.float32)),
    ],
)
def test_a_call_like_an_earlier_one_does_not_trace(jit, first, second):
    assert count_traces(jit, (first,), (second,)) == 1
    assert count_traces(jit, (first, jnp.ones(3)), (second, jnp.ones(3))) == 1


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (jnp.ones(2), jnp.ones(3)),
        (jnp.ones(2), jnp.ones((2, 1))),
        (jnp.ones(2), jnp.ones(2, jnp.int32)),
        (jnp.asarray(1.0), jnp.ones(())),  # weakly typed or not
        (jnp.ones(2), [jnp.ones(2)]),
        ([jnp.ones(2)], (jnp.ones(2),)),
        ([jnp.ones(2)], [jnp.ones(2), jnp.ones(2)]),
        ({"a": jnp.ones(2)}, {"b": jnp.ones(2)}),
        ([1, jnp.ones(2)], [jnp.ones(2), 1]),
        ([None, 1], [1, None]),
        (jnp.array(1), 1),
        (1, 2),
        (1, 1.0),
        (1, True),
        (1.0, True),
        (1, 1 + 0j),
        (0, False),
        (0.0, -0.0),
        (0j, complex(0.0, -0.0)),
        (complex(0.0, 0.0), complex(-0.0, 0.0)),
        (math.nan, math.inf),
        (1, Color.RED),
        (Color.RED, Color.GREEN),
        ("1", 1),
        ("1", b"1"),
        (EqualToAll(), 0),
        (0, EqualToAll()),
        (Named("a"), Named("b")),
        (frozenset({1}), frozenset({2})),
        (object(), object()),
        (lambda: 0, lambda: 0),
        (jnp.tanh, jnp.sin),
        (Model(jnp.ones(2)), Model(jnp.ones(3))),
        (Model(jnp.ones(2)), Model(1.0)),
        (Model(jnp.ones(2)), Model(jnp.ones(2), jnp.sin)),
        (Model(jnp.ones(2)), Model(jnp.ones(2), size=2)),
        (Model(jnp.ones(2)), Model(jnp.ones(2)).method),
    ],
)
def test_a_call_of_another_kind_traces(jit, first, second):
    assert count_traces(jit, (first,), (second,)) == 2
    assert count_traces(jit, (first, jnp.ones(3)), (second, jnp.ones(3))) == 2


def test_the_units_of_static_times_count():
    filter_fn = eqx.is_array_like
    second, day = np.datetime64(1, "s"), np.datetime64(1, "D")
    assert count_traces(ft.partial(eqx.jitf, filter_fn=filter_fn), (second,), (day,)) == 2
    assert count_traces(ft.partial(eqx.jitf, filter_fn=filter_fn), (day,), (np.datetime64(1, "D"),)) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [(np.float32(1), np.float64(1)), (np.int32(1), np.int64(1)), (np.float32(0.0), np.float32(-0.0)), (np.int64(1), 1)],
)
def test_numbers_of_numpy_that_are_static_are_told_apart_like_those_of_python(first, second):
    by_nothing = ft.partial(eqx.jitf, filter_fn=lambda leaf: False)
    assert count_traces(by_nothing, (first,), (second,)) == 2
    assert count_traces(by_nothing, (first,), (type(first)(first),)) == 1


@pytest.mark.parametrize(
    ("first", "second"), [((1,), (1.0,)), ((1,), (True,)), ((0.0,), (-0.0,)), ((1,), (2,)), ((1, (2,)), (1, (2.0,)))]
)
def test_static_arguments_are_told_apart_down_to_the_numbers_in_their_tuples(first, second):
    static = ft.partial(eqx.jitf, filter_fn=eqx.is_array, static_argnums=0)
    assert count_traces(static, (first,), (second,)) == 2


def test_static_arguments_that_are_equal_share_a_program():
    static = ft.partial(eqx.jitf, filter_fn=eqx.is_array, static_argnums=0)
    for argument in [(1, 2.0), "text", frozenset({1}), math.nan, (math.nan,), Named("a")]:
        assert count_traces(static, (argument,), (copy.deepcopy(argument),)) == 1


def test_traced_python_numbers_share_a_program():
    assert count_traces(ft.partial(eqx.jitf, filter_fn=eqx.is_array_like), (1.0,), (-2.5,), (math.nan,)) == 1
    assert count_traces(ft.partial(eqx.jitf, filter_fn=eqx.is_array_like), (1,), (2,)) == 1
    assert count_traces(ft.partial(eqx.jitf, filter_fn=eqx.is_array_like), (1,), (1.0,), (True,), (1j,)) == 4


def test_what_the_filter_selects_is_part_of_the_program():
    is_positive = ft.partial(eqx.jitf, filter_fn=lambda leaf: leaf > 0)
    assert count_traces(is_positive, (1, -1), (-1, 1)) == 2
    assert count_traces(is_positive, (1, -1), (5, -1)) == 1


def test_a_result_is_never_that_of_another_static_leaf():
    function = eqx.filter_jit(lambda leaf: (type(leaf), str(leaf)))
    for leaf in [1, True, 1.0, 1 + 0j, 0.0, -0.0, 0, False, math.nan, 1, True, -0.0, 0.0, Color.RED, "1"]:
        assert function(leaf) == (type(leaf), str(leaf))


@pytest.mark.parametrize("jit", JIT)
def test_the_spelling_of_a_call_does_not_matter(jit):
    traces = []

    @jit
    def function(a, b, /, c, d=4, *, e, f=6):
        traces.append(None)
        return a, b, c, d, e, f

    one, two, three = jnp.array(1), jnp.array(2), jnp.array(3)
    for _ in range(2):
        assert function(one, two, three, e=5) == (1, 2, 3, 4, 5, 6)
        assert function(one, two, c=three, e=5) == (1, 2, 3, 4, 5, 6)
        assert function(one, two, e=5, c=three) == (1, 2, 3, 4, 5, 6)
    assert len(traces) == 1
    for _ in range(2):
        assert function(one, two, three, 7, e=5) == (1, 2, 3, 7, 5, 6)
        assert function(one, two, e=5, d=7, c=three) == (1, 2, 3, 7, 5, 6)
    assert len(traces) == 2
    for _ in range(2):
        assert function(one, two, three, e=5, f=8) == (1, 2, 3, 4, 5, 8)
        assert function(one, two, f=8, c=three, e=5) == (1, 2, 3, 4, 5, 8)
    assert len(traces) == 3


@pytest.mark.parametrize("jit", JIT)
def test_defaults_are_not_inserted(jit):
    received = []

    @jit
    def function(x, n=[], *, m=np.zeros(2)):  # noqa: B006, B008 # what cannot be hashed, and what would be traced
        received.append((n, m))
        return x

    function(jnp.ones(2))
    ((n, m),) = received
    assert n is inspect.signature(function).parameters["n"].default
    assert isinstance(m, np.ndarray)


@pytest.mark.parametrize("jit", JIT)
def test_keywords_and_values_are_not_mixed_up(jit):
    function = jit(lambda *args, **kwargs: (args, kwargs))
    calls = [
        ((), {"a": "x", "b": "y"}),
        ((), {"a": "y", "b": "x"}),
        ((), {"a": "x", "c": "y"}),
        (("x",), {"b": "y"}),
        (("x", "y"), {}),
        ((("x", "y"),), {}),
        (((), ("x", "y")), {}),
        (("a", "b"), {"a": "b"}),
    ]
    for args, kwargs in calls * 2:
        assert function(*args, **kwargs) == (args, kwargs)


@pytest.mark.parametrize("jit", JIT)
def test_repeated_calls_that_differ_in_a_name_only_are_told_apart(jit):
    function = jit(lambda *args, **kwargs: (args, kwargs))
    x, text = jnp.ones(2), "text"
    for names in ["ab", "ac", "bc", "ab", "a", "b"]:
        for _ in range(3):
            args, kwargs = function(x, **dict.fromkeys(names, text))
            assert len(args) == 1
            assert kwargs == dict.fromkeys(names, text)
    for _ in range(3):
        assert function(x, text)[1] == {}
        assert function(x, a=text)[1] == {"a": text}
        assert function((x, text))[1] == {}


@pytest.mark.parametrize("jit", JIT)
def test_only_what_is_the_same_counts_as_a_repetition(jit):
    # One call after another like it takes a shortcut. Each of these differs from the one before in one respect.
    function = jit(
        lambda *args: (args, [leaf for leaf in jax.tree.leaves(args) if not isinstance(leaf, jax.core.Tracer)])
    )
    one, two = jnp.array(1.0), jnp.array([2.0, 3.0])
    text, other = "text", "other"
    calls = [
        (one, text),
        (one, text),
        (two, text),
        (two, other),
        (text, two),
        (two, [text]),
        (two, (text,)),
        (two, text, text),
        (np.array(1.0), text),
        (one, text),
        (one,),
        (one, one),
        (),
        (text,),
        (1,),
        (True,),
        (1.0,),
    ]
    for args in [call for call in calls for _ in range(2)]:
        output, static = function(*args)
        assert jax.tree.structure(output) == jax.tree.structure(args)
        for found, expected in zip(jax.tree.leaves(output), jax.tree.leaves(args), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert [str(leaf) for leaf in static] == [str(leaf) for leaf in jax.tree.leaves(args) if not eqx.is_array(leaf)]


@pytest.mark.parametrize("jit", JIT)
def test_containers_that_look_alike_are_not_taken_for_one_another(jit):
    class Point(typing.NamedTuple):
        x: typing.Any
        y: typing.Any

    class Pair(typing.NamedTuple):
        x: typing.Any
        y: typing.Any

    array, text = jnp.ones(2), "text"
    containers = [
        {"x": array, "y": text},
        collections.OrderedDict(x=array, y=text),
        collections.OrderedDict(y=text, x=array),
        collections.defaultdict(list, x=array, y=text),
        collections.defaultdict(dict, x=array, y=text),
        {"x": array, "z": text},
        Point(array, text),
        Pair(array, text),
        (array, text),
        [array, text],
        (array, (text,)),
        (array, text, None),
        (array, None, text),
        (array, text, ()),
        (array, text, []),
        ([array], text),
        Model(array, text),
        Model(array, text, size=2),
        Model(array, text, size=typing.cast(int, "2")),
    ]
    for keyword in (False, True):
        function = jit(lambda x, *, y=None: (x, y))
        for container in [container for container in containers * 2 for _ in range(2)]:
            output = function(1, y=container)[1] if keyword else function(container)[0]
            assert jax.tree.structure(output) == jax.tree.structure(container)


@pytest.mark.parametrize("jit", JIT)
def test_calls_of_many_kinds_can_alternate(jit):
    traces = []

    @jit
    def function(x, n, **rest):
        traces.append(n)
        return n, len(rest)

    for _ in range(3):
        for n in range(7):
            for rest in ({}, {"a": 1}, {"b": jnp.ones(2)}):
                assert function(np.ones(2), n, **rest) == (n, len(rest))
                assert function([jnp.ones(2)], n, **rest) == (n, len(rest))
    assert len(traces) == 7 * 3 * 2


def test_static_fields_need_not_be_hashable():
    class Configured(eqx.Module):
        settings: typing.Any = eqx.field(static=True)

    function = eqx.filter_jit(lambda model: model.settings["n"])
    for n in (1, 2, 1):
        assert function(Configured({"n": n})) == n


# What is kept


@pytest.fixture
def without_gc():
    """Objects are freed when the last reference goes, or not at all."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("jit", JIT)
def test_no_array_is_kept_after_a_call(jit, without_gc):
    function = jit(lambda tree, *, y, n: (tree["x"] + n, [y * n]))
    repeated = jit(lambda x, n: x + n)
    for i in range(3):
        x, y = jnp.full(2, i), jnp.full(3, i)
        (x_plus, (y_times,)) = function({"x": x}, y=y, n=2)
        again = repeated(x, 2)
        references = [weakref.ref(array) for array in (x, y, x_plus, y_times, again)]
        del x, y, x_plus, y_times, again
        assert [reference() for reference in references] == [None] * 5


@pytest.mark.parametrize("jit", JIT)
def test_no_model_is_kept_after_a_call(jit, without_gc):
    class Layer(eqx.Module):
        weight: jax.Array
        function: typing.Any = jnp.tanh

        @jit
        def apply(self, x):
            return eqx.Partial(self.function, self.weight * x)

        def method(self, x):
            return self.weight * x

    for i in range(3):
        layer = Layer(jnp.full(2, float(i)))
        output = layer.apply(jnp.ones(2))
        jit(layer.method)(jnp.ones(2))
        jit(eqx.Partial(layer.method))(jnp.ones(2))
        references = [weakref.ref(object_) for object_ in (layer, layer.weight, output, output.args[0])]
        del layer, output
        assert [reference() for reference in references] == [None] * 4


def test_an_error_keeps_no_array_once_it_is_handled():
    function = eqx.jitf(lambda x, leaf: x, filter_fn=lambda leaf: not isinstance(leaf, set))
    for bad in ({1}, "text"):
        x = jnp.ones(2)
        reference = weakref.ref(x)
        with pytest.raises(TypeError):
            function(x, bad)
        del x
        gc.collect()
        assert reference() is None


@pytest.fixture
def look_ups(monkeypatch):
    """The calls that were not recognised at a glance."""
    calls = []
    look_up = Dispatcher._look_up

    def counting(self, args, kwargs):
        calls.append(args)
        return look_up(self, args, kwargs)

    monkeypatch.setattr(Dispatcher, "_look_up", counting)
    return calls


@pytest.mark.parametrize("others", [[(jnp.ones(2), 3)], [((jnp.ones(2), jnp.ones(2)), 2)], [(jnp.ones(2), 3), ([], 2)]])
def test_calls_of_a_few_kinds_in_turn_are_recognised(look_ups, others):
    function = eqx.filter_jit(lambda x, n: (x, n))
    kinds = [(jnp.ones(2), 2), *others]
    for kind in kinds:
        function(*kind)
    look_ups.clear()
    for _ in range(3):
        for kind in kinds:
            assert eqx.tree_equal(function(*kind), kind)
    assert look_ups == []


def test_calls_with_new_shapes_do_not_drive_out_others(look_ups):
    function = eqx.filter_jit(lambda x, n: x * n)
    function(jnp.ones(2), 2)
    for size in range(3, 10):
        function(jnp.ones(size), 3)
    look_ups.clear()
    assert function(jnp.ones(2), 2).tolist() == [2, 2]
    assert look_ups == []
