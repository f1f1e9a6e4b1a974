"""Which frames the text of a failure shows."""

import gc
import re
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox._runtime import stack

X = jnp.array(1.0)


def functions_shown(call: Any) -> list[str]:
    with pytest.raises(eqx.EquinoxRuntimeError) as info:
        call()
    return re.findall(r'File "[^"]*test_stack.py", line \d+, in (\w+)', str(info.value))


def check(x):
    return eqx.error_if(x, x > 0, "message")


def helper(x):
    return check(x)


def test_they_are_those_from_the_compiled_function_down_to_the_check() -> None:
    @eqx.filter_jit
    def function(x):
        return helper(x)

    assert functions_shown(lambda: function(X)) == ["function", "helper", "check"]


def test_the_lines_are_shown_as_in_tracebacks() -> None:
    with pytest.raises(eqx.EquinoxRuntimeError, match=r'in check\n    return eqx.error_if\(x, x > 0, "message"\)'):
        eqx.filter_jit(check)(X)


def test_an_earlier_call_from_elsewhere_leaves_no_trace() -> None:
    @eqx.filter_jit
    def function(x):
        return helper(x)

    def elsewhere():
        return function(-X)

    elsewhere()
    assert functions_shown(lambda: function(X)) == ["function", "helper", "check"]


def test_of_nested_functions_the_one_that_is_called_decides() -> None:
    @eqx.filter_jit
    def inner(x):
        return check(x)

    @eqx.filter_jit
    def outer(x):
        return inner(x)

    for _ in range(2):
        assert functions_shown(lambda: outer(X)) == ["outer", "inner", "check"]
        assert functions_shown(lambda: inner(X)) == ["inner", "check"]


def test_a_part_that_was_traced_inside_of_another_function_shows_what_is_certain() -> None:
    @eqx.filter_jit
    def inner(x):
        return check(x)

    @eqx.filter_jit
    def first(x):
        return inner(x)

    @eqx.filter_jit
    def second(x):
        return inner(x)

    first(-X)
    assert functions_shown(lambda: second(X)) == ["inner", "check"]


def test_methods_and_compiled_objects_show_the_same() -> None:
    class Model(eqx.Module):
        @eqx.filter_jit
        def method(self, x):
            return check(x)

    assert functions_shown(lambda: Model().method(X)) == ["method", "check"]
    compiled = eqx.aot(Model().method).lower(-X).compile()
    assert functions_shown(lambda: compiled(X)) == ["method", "check"]


def test_outside_of_compiled_functions_there_is_nothing_to_show() -> None:
    assert functions_shown(lambda: check(X)) == []
    assert stack.capture() == ()


def test_neither_frames_nor_arrays_nor_the_function_are_kept() -> None:
    class Token:
        pass

    def make():
        token = Token()

        @eqx.filter_jit
        def function(x):
            local = x + 1
            _ = token
            return check(local)

        with pytest.raises(eqx.EquinoxRuntimeError):
            function(X)
        return function, weakref.ref(token)

    function, token = make()
    del function
    jax.clear_caches()
    gc.collect()
    assert token() is None
