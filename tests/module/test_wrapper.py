import copy
import dataclasses
import functools
import inspect
import operator
import pickle
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given

import equinox as eqx
from equinox import Module, field, module_update_wrapper
from tests.strategies import pytrees, same_tree
from tests.untyped import untyped

NAMES = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__")


class Wrapper(Module):
    """Calls a function."""

    function: Any
    extra: Any = None
    mode: str = field(static=True, default="mode")

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    @property
    def __wrapped__(self) -> Any:
        return self.function


def increment(x: int, by: int = 1) -> int:
    """Add."""
    return x + by


untyped(increment).mark = "not copied"

WAYS: list[Callable[[Any], Any]] = [
    lambda m: m,
    lambda m: jax.tree.map(lambda leaf: leaf, m),
    lambda m: jax.tree.map(lambda leaf: leaf, jax.tree.map(lambda leaf: leaf, m)),
    copy.copy,
    copy.deepcopy,
    lambda m: pickle.loads(pickle.dumps(m)),
    eqx.filter_jit(lambda m: m),
]


@pytest.mark.parametrize("way", WAYS)
def test_the_names_of_the_function_are_taken_over_and_stay(way: Callable[[Any], Any]) -> None:
    wrapper = way(module_update_wrapper(Wrapper(increment)))
    assert {name: getattr(wrapper, name) for name in NAMES} == {name: getattr(increment, name) for name in NAMES}
    assert wrapper(1) == 2
    assert inspect.signature(wrapper) == inspect.signature(increment)
    assert inspect.unwrap(wrapper) is increment
    assert not hasattr(wrapper, "mark")
    for name in NAMES:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(wrapper, name, "other")


@given(value=pytrees(max_leaves=4))
def test_the_result_is_a_shallow_copy_and_the_input_is_left_alone(value: Any) -> None:
    original = Wrapper(increment, value, "other")
    updated = module_update_wrapper(original)
    assert type(updated) is Wrapper
    assert updated is not original
    assert updated.extra is value
    assert updated.mode == "other"
    assert same_tree(jax.tree.leaves(updated), jax.tree.leaves(original))
    assert original.__doc__ == "Calls a function."
    assert original.__module__ == __name__
    assert not hasattr(original, "__name__")


def test_another_function_may_lend_the_names() -> None:
    updated = module_update_wrapper(Wrapper(len), increment)
    assert untyped(updated).__name__ == "increment"
    assert updated("abc") == 3


def test_names_that_the_function_lacks_are_those_of_the_class() -> None:
    updated = module_update_wrapper(Wrapper(None), untyped(object.__new__(type("Nameless", (), {"__doc__": "Text."}))))
    assert updated.__doc__ == "Text."
    assert not hasattr(updated, "__name__")
    partial = module_update_wrapper(Wrapper(functools.partial(increment, 1)))
    assert not hasattr(partial, "__name__")
    assert partial(2) == 3


def test_annotations_that_cannot_be_evaluated_are_left_out() -> None:
    class Lazy:
        def __getattr__(self, name: str) -> Any:
            raise NameError("not defined yet") if name == "__annotations__" else AttributeError(name)

        def __call__(self) -> None: ...

    updated = untyped(module_update_wrapper(Wrapper(Lazy())))
    assert "__annotations__" not in vars(updated)
    assert vars(updated)["__module__"] == __name__


def test_the_names_are_part_of_the_structure() -> None:
    structure: Callable[[Any], Any] = jax.tree.structure

    def other() -> None: ...

    updated = module_update_wrapper(Wrapper(increment))
    assert structure(updated) == structure(module_update_wrapper(Wrapper(increment)))
    assert structure(updated) != structure(Wrapper(increment))
    assert structure(updated) != structure(module_update_wrapper(Wrapper(increment), other))
    assert updated == module_update_wrapper(Wrapper(increment))
    assert updated != Wrapper(increment)


def test_wrappers_of_instances_of_one_class_have_one_structure() -> None:
    class Model(Module):
        """A model."""

        w: Any

        def __call__(self, x: float) -> Any:
            return self.w * x

    first, second = (module_update_wrapper(Wrapper(Model(jnp.full(2, value)))) for value in (1.0, 2.0))
    assert first.__doc__ == "A model."
    arrays = [eqx.filter(wrapper, eqx.is_array) for wrapper in (first, second)]
    total = jax.tree.map(operator.add, *arrays)
    assert jnp.array_equal(total.function.w, jnp.full(2, 3.0))
    assert total.__doc__ == "A model."


def test_a_class_without_the_property_is_an_error_that_names_it() -> None:
    class Plain(Module):
        function: Any

    class Method(Plain):
        def __wrapped__(self) -> Any:
            return self.function

    for cls in (Plain, Method):
        with pytest.raises(ValueError, match="__wrapped__") as info:
            module_update_wrapper(cls(increment))
        assert cls.__qualname__ in str(info.value)
        assert "`wrapper`" in str(info.value)


def test_wrapping_a_method_takes_its_names() -> None:
    class Model(Module):
        def f(self, x: int) -> int:
            """Do it."""
            return x

    updated = untyped(module_update_wrapper(Wrapper(Model().f)))
    assert (updated.__name__, updated.__doc__, updated.__module__) == ("f", "Do it.", __name__)
    assert updated.__annotations__ == {"x": int, "return": int}
    assert str(inspect.signature(updated)) == "(x: int) -> int"
