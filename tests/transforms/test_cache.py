"""Compiled programs are shared by everything that wraps one function, and freed with it."""

import functools as ft
import gc
import operator
import threading
import typing
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._transforms import cache
from equinox._transforms.cache import ANCHOR, Bounded, shared
from tests.jit_variants import JIT


class CountsTraces:
    """A callable that counts how often it is traced."""

    def __init__(self):
        self.count = 0

    def __call__(self, x, n=1):
        self.count += 1
        return n * jnp.sum(x)


x = np.ones(2, np.float32)


# Sharing


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("transform", [lambda f: f, eqx.filter_grad, eqx.filter_value_and_grad, eqx.filter_jit])
def test_wrapping_a_function_again_does_not_trace_again(jit, transform):
    traces = []

    def function(x, n):
        traces.append(n)
        return n * jnp.sum(x)

    for _ in range(3):
        jit(transform(function))(x, 2)
    assert len(traces) == 1


@pytest.mark.parametrize("jit", JIT)
def test_a_function_that_looks_the_same_is_another_one(jit):
    def make(n):
        return lambda x: x + n

    assert [jit(make(n))(1.0) for n in (1, 2, 1)] == [2, 3, 2]


def test_wrapping_a_function_with_other_options_traces_again():
    traces = []

    def function(x):
        traces.append(x)
        return x + 1

    variants = [
        eqx.filter_jit,
        eqx.filter_jit(donate="all"),
        eqx.filter_jit(donate="warn"),
        eqx.filter_jit(inline=True),
        eqx.filter_jit(keep_unused=True),
        eqx.jitf(filter_fn=eqx.is_array),
        eqx.jitf(filter_fn=eqx.is_array_like),
        eqx.jitf(filter_fn=eqx.is_array, donate_argnums=0),
        eqx.jitf(filter_tree=True),
    ]
    for count, jit in enumerate(variants, start=1):
        jit(function)(jnp.ones(2))
        assert len(traces) == count
    for jit in variants[:-1]:
        jit(function)(jnp.ones(2))
    assert len(traces) == len(variants)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize(
    "make",
    [
        lambda model: model,
        lambda model: model.method,
        eqx.Partial,
        lambda model: eqx.Partial(model.method),
        eqx.filter_jit,
        lambda model: eqx.filter_jit(model.method),
    ],
)
def test_callables_that_are_equal_but_for_their_arrays_share(jit, make):
    traces = []

    class Model(eqx.Module):
        weight: typing.Any
        size: int = eqx.field(static=True, default=1)

        def __call__(self, x):
            traces.append(self.size)
            return self.weight * x

        def method(self, x):
            return self(x)

    for factor in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(jit(make(Model(jnp.array(factor))))(x), factor * x)
    assert len(traces) == 1
    np.testing.assert_array_equal(jit(make(Model(jnp.ones(2))))(x), x)
    assert len(traces) == 2
    np.testing.assert_array_equal(jit(make(Model(jnp.array(1.0), size=2)))(x), x)
    assert len(traces) == 3


def test_methods_of_one_instance_do_not_share():
    class Model(eqx.Module):
        weight: typing.Any

        def once(self, x):
            return self.weight * x

        def twice(self, x):
            return 2 * self.weight * x

    model = Model(jnp.array(1.0))
    for _ in range(2):
        assert eqx.filter_jit(model.once)(1.0) == 1
        assert eqx.filter_jit(model.twice)(1.0) == 2


@pytest.mark.parametrize("jit", JIT)
def test_static_leaves_of_callables_are_told_apart_by_type_and_value(jit):
    for value in [1, 1.0, True, 0.0, -0.0, 1, "1", True]:
        assert jit(eqx.Partial(describe, value))(x) == (type(value), str(value))


def describe(value, x):
    return type(value), str(value)


@pytest.mark.parametrize("jit", JIT)
def test_callables_without_a_function_share_by_equality(jit):
    counter = CountsTraces()
    methods = [lambda: counter, lambda: counter.__call__, lambda: eqx.Partial(counter)]
    for count, method in enumerate(methods, start=1):
        for _ in range(3):
            jit(method())(x)
        assert counter.count == count


class EqualByFactor:
    """A callable that is equal to others."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x

    def __eq__(self, other):
        return type(other) is EqualByFactor and self.factor == other.factor

    def __hash__(self):
        return hash(self.factor)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda owner: owner, id="callable instance"),
        pytest.param(lambda owner: owner.__call__, id="bound method"),
        pytest.param(eqx.Partial, id="Partial"),
    ],
)
def test_what_shares_goes_on_working_when_the_first_one_is_gone(jit, make):
    owner = CountsTraces()
    equal, other = EqualByFactor(2.0), EqualByFactor(2.0)
    first, second = jit(make(equal)), jit(make(other))
    for wrapper in (first, second):
        np.testing.assert_array_equal(wrapper(x), 2 * x)
    jit(make(owner))(x)
    del first, equal
    gc.collect()
    # Other shapes make the function run again, from what the first wrapper left behind.
    for size in (3, 4):
        jit(make(owner))(np.ones(size))
        np.testing.assert_array_equal(second(np.ones(size)), 2 * np.ones(size))
    assert owner.count == 3


def test_a_wrapper_made_anew_from_its_leaves_shares():
    counter = []

    @eqx.filter_jit
    def function(x):
        counter.append(x)
        return x

    for _ in range(3):
        jax.tree.map(lambda leaf: leaf, function)(x)
    assert len(counter) == 1


# Freeing


def is_freed(reference):
    gc.collect()
    return reference() is None


@pytest.mark.parametrize("jit", JIT)
def test_everything_goes_with_the_function(jit):
    class Token:
        pass

    def make():
        token = Token()

        def function(x, n, *, tree=None):
            assert token
            return x * n, tree

        return function, token

    function, token = make()
    for compiled in (jit(function), jit(jit(function)), jit(eqx.Partial(function)), jit(eqx.filter_jit(function))):
        for n in (1, 2, 2):
            compiled(x, n)
            compiled(x, n, tree={"a": [jnp.tanh, x]})
        compiled.lower(x, 1).compile()(x, 1)
    references = [weakref.ref(object_) for object_ in (function, token)]
    del function, token, compiled
    assert all(is_freed(reference) for reference in references)


@pytest.mark.parametrize("jit", JIT)
def test_a_function_is_freed_although_calls_mentioned_it(jit):
    # What is passed and what is returned lives in the programs, and so would the function.
    def function(x, f=None):
        return x, "text"

    compiled = jit(function)
    compiled(x, function)
    compiled(x, f=function)
    compiled(x, [function, jnp.tanh])
    reference = weakref.ref(function)
    del function, compiled
    assert is_freed(reference)


@pytest.mark.parametrize("jit", JIT)
def test_a_function_is_freed_although_it_returned_itself(jit):
    # What a program returns lives in its output's treedef: an entry of a weak dictionary would keep its own key.
    def use():
        def function(x):
            return x, function

        assert jit(function)(x)[1] is function
        return weakref.ref(function)

    assert is_freed(use())


@pytest.mark.parametrize("jit", JIT)
def test_a_recursive_function_is_freed(jit):
    def use():
        @jit
        def function(x):
            return x if x.ndim else function(x[None])

        assert function(jnp.array(1.0)).shape == (1,)
        return weakref.ref(function.__wrapped__)

    assert is_freed(use())


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda owner: owner, id="callable instance"),
        pytest.param(lambda owner: owner.__call__, id="bound method"),
        pytest.param(ft.partial, id="functools.partial"),
        pytest.param(lambda owner: ft.partial(owner.__call__, n=2), id="functools.partial of a bound method"),
        pytest.param(lambda owner: jax.jit(owner.__call__), id="jax.jit"),
        pytest.param(eqx.Partial, id="Partial"),
    ],
)
def test_callables_of_other_kinds_are_freed_too(jit, make):
    owner = CountsTraces()
    compiled = jit(make(owner))
    compiled(x)
    reference = weakref.ref(owner)
    del owner, compiled
    assert is_freed(reference)


# Clearing


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("clear", [eqx.clear_caches, None])
@pytest.mark.parametrize("calls", [1, 2])
def test_clearing_makes_calls_trace_again(jit, clear, calls):
    counter = CountsTraces()

    def function(x, n=1):
        return counter(x, n)

    for compiled in (jit(function), jit(eqx.Partial(function)), jit(counter)):
        for _ in range(3):
            before = counter.count
            for _ in range(calls):
                assert compiled(x) == 2
            assert counter.count == before + 1
            (clear or compiled.clear_cache)()


def test_clearing_the_cache_of_one_function_leaves_others_alone():
    first, second = CountsTraces(), CountsTraces()
    compiled = [eqx.filter_jit(first), eqx.filter_jit(second)]
    for function in compiled * 2:
        function(x)
    compiled[0].clear_cache()
    for function in compiled * 2:
        function(x)
    assert (first.count, second.count) == (2, 1)


def test_clearing_reaches_everything_that_shares_the_programs():
    counter = CountsTraces()

    def function(x):
        return counter(x)

    first, second = eqx.filter_jit(function), eqx.filter_jit(function)
    first(x), second(x), second(x)
    first.clear_cache()
    second(x), second(x)
    assert counter.count == 2


def test_methods_can_be_cleared():
    traces = []

    class Plain(eqx.Module):
        weight: typing.Any

        @eqx.filter_jit
        def method(self, x):
            traces.append(x)
            return x

    model = Plain(jnp.ones(2))
    model.method(x), model.method(x)
    model.method.clear_cache()
    model.method(x)
    Plain.method.clear_cache()
    model.method(x)
    assert len(traces) == 3


def test_clear_caches_returns_nothing_and_leaves_jax_alone():
    traces = []

    @jax.jit
    def function(x):
        traces.append(x)
        return x

    function(x)
    assert eqx.clear_caches() is None
    function(x)
    assert len(traces) == 1


def test_caches_can_be_cleared_while_a_function_is_traced():
    @eqx.filter_jit
    def function(x, n):
        eqx.clear_caches()
        function.clear_cache()
        return x * n if n == 0 else function(x, n - 1)

    assert function(x, 3).tolist() == [0, 0]


# Bounds


def test_a_cache_forgets_its_older_half_when_it_is_full(monkeypatch):
    monkeypatch.setattr(cache, "MAX_CONFIGURATIONS", 4)
    bounded: Bounded[int] = Bounded()
    for i in range(4):
        assert bounded.add(i, 10 * i) == 10 * i
    assert dict(bounded) == {0: 0, 1: 10, 2: 20, 3: 30}
    assert bounded.add(3, 99) == 30
    bounded.add(4, 40)
    assert 4 in bounded
    assert 3 in bounded
    assert 0 not in bounded
    assert len(bounded) <= 4


def test_the_programs_of_one_function_are_bounded(monkeypatch):
    monkeypatch.setattr(cache, "MAX_CONFIGURATIONS", 8)
    tokens = []

    class Token:
        def __init__(self):
            tokens.append(weakref.ref(self))

    function = eqx.filter_jit(lambda x, token: x)
    for _ in range(30):
        function(1, Token())
    gc.collect()
    assert sum(token() is not None for token in tokens) <= 10
    # It still works, for old tokens and new ones.
    assert function(2, Token()) == 2


@pytest.mark.parametrize("function", [describe, operator.is_], ids=["a Python function", "no Python function"])
def test_the_callables_around_one_function_are_bounded(monkeypatch, function):
    monkeypatch.setattr(cache, "MAX_CONFIGURATIONS", 8)
    tokens = []

    class Token:
        def __init__(self):
            tokens.append(weakref.ref(self))

    for _ in range(30):
        eqx.filter_jit(eqx.Partial(function, Token()))(x)
    gc.collect()
    assert sum(token() is not None for token in tokens) <= 10


# The dictionary itself


def test_shared_makes_one_for_each_anchor_and_key():
    def first(): ...
    def second(): ...

    class Tables:
        def clear(self): ...

    anchors = (None, first, second)
    made = {(anchor, key): shared(anchor, ("for this test", key), Tables) for anchor in anchors for key in "ab"}
    assert len({id(tables) for tables in made.values()}) == 6
    for (anchor, key), tables in made.items():
        assert shared(anchor, ("for this test", key), Tables) is tables


def test_threads_share_one():
    barrier = threading.Barrier(4, timeout=30)
    found = []

    def function(x):
        return x

    def work():
        barrier.wait()
        found.append(eqx.filter_jit(function)._dispatcher.tables)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert len({id(tables) for tables in found}) == 1


def test_the_anchor_says_what_it_is():
    assert repr(ANCHOR) == "ANCHOR"
