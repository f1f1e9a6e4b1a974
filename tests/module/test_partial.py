import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given

import equinox as eqx
from equinox import Module, Partial
from tests.strategies import pytrees, same_tree
from tests.untyped import untyped


def collect(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def test_stored_arguments_come_first_and_keywords_are_added() -> None:
    partial = Partial(collect, 1, 2, a=3)
    assert partial(4, 5, b=6) == ((1, 2, 4, 5), {"a": 3, "b": 6})
    assert partial() == ((1, 2), {"a": 3})


def test_a_stored_keyword_cannot_be_given_again() -> None:
    with pytest.raises(TypeError, match="multiple values for keyword argument 'a'"):
        Partial(collect, a=1)(a=2)


def test_every_keyword_can_be_stored_and_given() -> None:
    names = {"self": 1, "func": 2, "args": 3, "keywords": 4, "cls": 5}
    assert untyped(Partial)(collect, **names)() == ((), names)
    assert Partial(collect)(**names) == ((), names)


def test_the_function_is_required() -> None:
    with pytest.raises(TypeError, match="func"):
        untyped(Partial)()
    with pytest.raises(TypeError, match="func"):
        untyped(Partial)(func=collect)


@given(first=pytrees(max_leaves=4), second=pytrees(max_leaves=4))
def test_function_and_arguments_are_children(first: Any, second: Any) -> None:
    partial = Partial(collect, first, key=second)
    assert (partial.func, partial.args, partial.keywords) == (collect, (first,), {"key": second})
    assert all(a is b for a, b in zip(jax.tree.leaves(partial), jax.tree.leaves([collect, first, second]), strict=True))
    mapped = jax.tree.map(lambda leaf: leaf, partial)
    assert same_tree(mapped, partial)
    (result,), keywords = mapped()
    assert same_tree(result, first)
    assert same_tree(keywords["key"], second)


def test_it_is_a_module_without_names_or_hash() -> None:
    partial = Partial(collect, 1)
    assert isinstance(partial, Module)
    assert not hasattr(partial, "__name__")
    assert list(inspect.signature(partial).parameters) == ["args", "kwargs"]
    with pytest.raises(TypeError, match="unhashable"):
        hash(partial)


def test_partials_are_not_merged() -> None:
    inner = Partial(collect, 1)
    outer = Partial(inner, 2)
    assert outer.func is inner
    assert outer(3) == ((1, 2, 3), {})


def test_it_can_be_compiled_with_its_arrays_as_inputs() -> None:
    traces: list[Any] = []

    def add(x: Any, y: Any) -> Any:
        traces.append(x)
        return x + y

    call: Callable[[Any, Any], Any] = eqx.filter_jit(lambda f, y: f(y))
    for value in (1.0, 2.0):
        assert call(Partial(add, jnp.array(value)), jnp.array(1.0)) == value + 1
    assert len(traces) == 1
    assert jax.grad(Partial(jnp.multiply, 3.0))(2.0) == 3.0


def test_an_array_inside_a_compiled_function_is_warned_of() -> None:
    class Model(Module):
        w: Any

        def __call__(self) -> Any:
            return self.w

    with pytest.warns(UserWarning, match="Possibly assigning a JAX-transformed callable"):
        Partial(jax.jit(Model(jnp.ones(2))))
