"""What is remembered of a trace: what JAX knows of the arrays, the settings, and where the function came from."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._transforms import cache
from equinox._transforms.history import SETTINGS, is_made_anew, listeners, signature_of, source_of


def histories(function):
    return function._dispatcher.tables.histories()


def test_a_history_has_one_entry_for_each_trace_and_one_history_for_each_configuration():
    function = eqx.filter_jit(lambda x, n: x)
    for x, n in [(1.0, 1), (np.ones(2), 1), (np.ones(2), 1), (jnp.zeros(2), 1), (np.ones(3), 1), (np.ones(2), 2)]:
        function(x, n)
    assert sorted(len(history.signatures) for history in histories(function)) == [1, 1, 2]


def test_nothing_is_recorded_without_a_trace():
    def fail(x):
        raise KeyError

    function, failing = eqx.filter_jit(lambda x: x), eqx.filter_jit(fail)
    with jax.disable_jit():
        function(jnp.ones(2))
    with pytest.raises(KeyError):
        failing(jnp.ones(2))
    for compiled in (function, failing):
        assert [len(history.signatures) for history in histories(compiled)] == [0]


def test_signatures_describe_arrays_tracers_and_structs_alike():
    x = jnp.ones(2)
    inside = []
    jax.jit(lambda x: inside.append(signature_of([x])))(x)
    assert inside == [signature_of([x])] == [signature_of([np.zeros(2)])] == [signature_of([jax.eval_shape(lambda: x)])]
    assert hash(signature_of([x])) == hash(inside[0])
    assert signature_of([x]) != signature_of([x, x])


def test_signatures_hold_the_settings_of_the_moment():
    before = signature_of([])
    with jax.default_matmul_precision("highest"):
        after = signature_of([])
    assert before != after == after
    assert dict(zip(SETTINGS, after.settings, strict=False))["jax_default_matmul_precision"] == "highest"
    assert signature_of([]) == before


def test_the_number_of_signatures_is_bounded(monkeypatch):
    monkeypatch.setattr(cache, "MAX_CONFIGURATIONS", 4)
    function = eqx.filter_jit(lambda x: x)
    for size in range(10):
        function.eval_shape(np.ones(size))
    (history,) = histories(function)
    assert len(history.signatures) <= 4


def test_a_history_keeps_neither_the_function_nor_its_programs():
    def function(x):
        return x

    compiled = eqx.filter_jit(function)
    compiled(jnp.ones(2))
    (history,) = histories(compiled)
    assert history.peers == [history]
    reference = weakref.ref(function)
    del function, compiled
    gc.collect()
    assert reference() is None
    assert history.peers == []


def make():
    return lambda x: x


def test_functions_made_anew_from_one_place_in_the_source_are_recognised():
    first, second = make(), make()
    assert not is_made_anew(first)
    eqx.filter_jit(first)(1.0)
    assert not is_made_anew(first)
    assert is_made_anew(second)
    assert not is_made_anew(lambda x: x)
    assert not is_made_anew(len)
    assert source_of(len) is None
    assert f"{__file__}:{make.__code__.co_firstlineno + 1}" in source_of(first)


def test_listeners_hear_of_each_trace_before_it_is_recorded():
    heard = []

    def listen(history, signature):
        heard.append((history.origin.function_name, signature in history.signatures))

    @eqx.filter_jit
    def named(x):
        return x

    listeners.append(listen)
    try:
        named(jnp.ones(2))
        named(jnp.ones(2))
        named(jnp.ones(3))
    finally:
        listeners.remove(listen)
    assert heard == [("named", False)] * 2
