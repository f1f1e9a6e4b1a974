import inspect
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.debug import assert_max_traces, get_num_traces
from tests.untyped import untyped

X = jnp.ones(3)


def function(x, y=1):
    """Do nothing."""
    return x


@pytest.mark.parametrize("jit", [eqx.filter_jit, lambda f: jax.jit(f, static_argnames="y")])
def test_a_function_may_be_traced_so_often_and_not_more(jit: Any) -> None:
    counted = jit(assert_max_traces(function, max_traces=2))
    for x in (X, X + 1, jnp.ones(4), X):
        counted(x)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="`function` can only be traced 2 times"):
            counted(jnp.ones(5))
    assert get_num_traces(counted) == 4


@pytest.mark.parametrize(
    ("arguments", "name", "now", "before"),
    [
        ((jnp.ones(4),), "x", "f32[4]", "f32[3]"),
        ((X.astype(int),), "x", "i32[3]", "f32[3]"),
        (({"a": X},), "x", "{'a': f32[3]}", "f32[3]"),
        ((X, 2), "y", "2", "it was not passed before"),
    ],
)
def test_the_argument_that_is_responsible_is_named_with_its_values(
    arguments: tuple[Any, ...], name: str, now: str, before: str
) -> None:
    counted = eqx.filter_jit(assert_max_traces(function, max_traces=1))
    counted(X)
    with pytest.raises(RuntimeError) as info:
        counted(*arguments)
    start, text = str(info.value).split(f"The argument `{name}` is responsible.")
    assert start.startswith("`function`")
    assert now in text
    assert before in text.split(now, 1)[1]


def test_values_that_are_equal_but_of_different_types_are_told_apart() -> None:
    counted = eqx.filter_jit(assert_max_traces(function, max_traces=2))
    counted(X, 1)
    counted(X, True)
    with pytest.raises(RuntimeError, match=r"argument `y` is responsible. It is\n1.0\nand was\n1\nTrue"):
        counted(X, untyped(1.0))


def test_that_no_argument_is_responsible_is_said() -> None:
    counted = assert_max_traces(function, max_traces=1)
    counted(X)
    with pytest.raises(RuntimeError, match="No argument could be found"):
        counted(X)


def test_leaves_that_cannot_be_hashed_are_no_obstacle() -> None:
    counted = assert_max_traces(function, max_traces=None)
    counted({1, 2})
    counted({1, 3})
    assert get_num_traces(counted) == 2


def test_without_a_limit_calls_are_only_counted() -> None:
    counted = assert_max_traces(function, max_traces=None)
    for n in range(1, 5):
        counted(jnp.ones(n))
    assert get_num_traces(counted) == 4


def test_calls_that_fail_are_counted() -> None:
    def fail(x):
        raise KeyError

    counted = assert_max_traces(fail, max_traces=None)
    with pytest.raises(KeyError):
        counted(X)
    assert get_num_traces(counted) == 1


def test_copies_count_together_and_wrappings_apart() -> None:
    first = assert_max_traces(function, max_traces=None)
    second = assert_max_traces(function, max_traces=None)
    copied = jax.tree.map(lambda x: x, first)
    first(X)
    copied(X)
    assert (get_num_traces(first), get_num_traces(copied), get_num_traces(second)) == (2, 2, 0)


@pytest.mark.parametrize(
    "wrap",
    [
        jax.jit,
        eqx.filter_jit,
        eqx.filter_grad,
        lambda f: jax.jit(jax.vmap(f)),
        lambda f: eqx.filter_jit(eqx.filter_jit(f)),
    ],
)
def test_the_number_is_found_inside_of_other_wrappers(wrap: Any) -> None:
    assert get_num_traces(wrap(assert_max_traces(function, max_traces=1))) == 0


def test_of_something_else_there_is_no_number() -> None:
    for other in (function, eqx.filter_jit(function), jax.jit(function)):
        with pytest.raises(ValueError, match="argument `fn` of `get_num_traces`: `function`"):
            get_num_traces(other)


def test_it_looks_like_the_function_and_binds_like_one() -> None:
    counted = assert_max_traces(max_traces=3)(function)
    assert (counted.__name__, counted.__doc__) == ("function", "Do nothing.")
    assert inspect.signature(counted) == inspect.signature(function)

    class Model(eqx.Module):
        weight: jax.Array

        @eqx.filter_jit
        @assert_max_traces(max_traces=1)
        def method(self, x):
            return self.weight * x

        @assert_max_traces(max_traces=None)
        def other(self, x):
            return self.weight * x

    model = Model(X)
    assert model.method(2.0).tolist() == model.method(2.0).tolist() == [2, 2, 2]
    model.other(2.0)
    for method in (model.method, Model.method, model.other, Model.other):
        assert get_num_traces(method) == 1


def test_what_cannot_be_called_is_an_error() -> None:
    with pytest.raises(TypeError, match="assert_max_traces"):
        assert_max_traces(untyped(3), max_traces=1)
