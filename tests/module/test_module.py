import copy
import dataclasses
import functools
import gc
import pickle
import threading
import weakref
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import equinox as eqx
from equinox import Module, field
from tests.module_strategies import modules
from tests.naming import show
from tests.untyped import untyped

_T = TypeVar("_T")


class Linear(Module):
    weight: Any
    bias: Any
    size: Any = field(static=True, default=1)

    def __call__(self, x: Any) -> Any:
        return self.weight * x + self.bias

    def apply(self, x: Any) -> Any:
        return self(x)


class Box(Module, Generic[_T]):
    item: _T


class Defaulted(Module):
    x: int = 1

    def __init__(self) -> None: ...


class Slotted(Module):
    __slots__ = ("x",)

    x: Any


def is_frozen(module: Any) -> bool:
    names = [f.name for f in dataclasses.fields(module)]
    for name in [*names, "other", "__doc__", "__name__"]:
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(module, name, 0)
    for name in names:
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            delattr(module, name)
    return True


# Assigning and deleting


class Custom(Module):
    """Assigns whatever it is told to."""

    abstract: eqx.AbstractVar[int]
    child: Any = None
    static: Any = field(static=True, default=None)

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    @property
    def settable(self) -> None: ...

    @settable.setter
    def settable(self, value: Any) -> None: ...


class Concrete(Custom):
    inherited: Any = None
    abstract = untyped(property(lambda self: 1))


def test_in_init_every_field_can_be_assigned_more_than_once() -> None:
    class Twice(Module):
        x: int

        def __init__(self) -> None:
            self.x = 1
            self.x = self.x + 1

    assert Twice().x == 2
    assert untyped(Concrete)(child=1, static=2, inherited=3).inherited == 3


@pytest.mark.parametrize("name", ["other", "_field", "settable", "__wrapped__", "__dict__", "__class__", "Abstract"])
def test_in_init_nothing_but_fields_can_be_assigned_and_the_error_says_where_to_declare_them(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'") as info:
        untyped(Concrete)(**{name: 1})
    assert isinstance(info.value, AttributeError)
    assert "Concrete" in str(info.value)
    assert "Declare it" in str(info.value)


def test_an_attribute_that_is_only_declared_abstract_is_no_field() -> None:
    class StillAbstract(Custom):
        pass

    with pytest.raises(dataclasses.FrozenInstanceError, match="'abstract'"):
        untyped(StillAbstract)(abstract=1)


def test_in_init_the_names_of_a_wrapper_can_be_assigned() -> None:
    values = {
        "__module__": "somewhere",
        "__name__": "name",
        "__qualname__": "qualified.name",
        "__doc__": "Text.",
        "__annotations__": {"x": int},
    }

    class Named(Module):
        x: int

        def __init__(self, **values: Any) -> None:
            self.x = 1
            for name, value in values.items():
                setattr(self, name, value)

    named = Named(**values)
    for module in (named, jax.tree.map(lambda x: x, named), copy.copy(named)):
        assert {name: getattr(module, name) for name in values} == values
    assert Named() != named
    assert Named.__doc__ != "Text."


@given(module=modules())
def test_instances_are_immutable_however_they_were_made(module: Any) -> None:
    assert is_frozen(module)
    assert is_frozen(jax.tree.map(lambda x: x, module))
    assert is_frozen(copy.copy(module))
    assert is_frozen(copy.deepcopy(module))


def test_the_error_for_assigning_says_what_to_do_instead() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="tree_at"):
        Linear(1, 2).weight = 3


def test_a_property_with_a_setter_cannot_be_set_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        untyped(Concrete)().settable = 1


def test_object_is_a_way_past_immutability() -> None:
    linear = Linear(1, 2)
    object.__setattr__(linear, "weight", 5)
    assert linear.weight == 5


def test_the_values_of_fields_are_not_frozen() -> None:
    box = Box([1])
    box.item.append(2)
    assert jax.tree.leaves(box) == [1, 2]


# Equality


def test_instances_are_equal_if_their_trees_are() -> None:
    assert Linear(1, 2) == Linear(1, 2)
    assert Linear(1, 2) != Linear(1, 3)
    assert Linear(1, 2, 3) != Linear(1, 2, 4)
    assert Linear(Linear(1, 2), 2) == Linear(Linear(1, 2), 2)
    assert (Linear(1, 2) == Linear(1, 3)) is False
    assert (Linear(1, 2) != Linear(1, 3)) is True


def test_classes_with_the_same_fields_are_not_equal() -> None:
    class Child(Linear):
        pass

    assert Linear(1, 2) != Child(1, 2)


@pytest.mark.parametrize("other", [None, 1, "text", (1, 2), np.ones(2), object()])
def test_other_types_are_not_equal_and_no_error(other: Any) -> None:
    assert (Linear(1, 2) == other) is False
    assert (Linear(1, 2) != other) is True


def test_comparing_arrays_gives_an_array() -> None:
    first, second, third = Linear(jnp.ones(2), 1), Linear(jnp.ones(2), 1), Linear(jnp.zeros(2), 1)
    assert isinstance(first == second, jax.Array)
    assert bool(first == second)
    assert not bool(first != second)
    assert bool(first != third)


def test_instances_can_be_compared_while_they_are_traced() -> None:
    @jax.jit
    def compare(x: Any, y: Any) -> Any:
        return Linear(x, 1) == Linear(y, 1), Linear(x, 1) != Linear(y, 1)

    assert tuple(map(bool, compare(jnp.ones(2), jnp.ones(2)))) == (True, False)
    assert tuple(map(bool, compare(jnp.ones(2), jnp.zeros(2)))) == (False, True)


def test_an_equality_that_a_subclass_defines_holds_for_inequality_too() -> None:
    class Loose(Linear):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = Linear.__hash__

    assert Loose(1, 2) == Linear(3, 4)
    assert (Loose(1, 2) != Linear(3, 4)) is False


# Hashing


def test_the_hash_is_that_of_the_names_and_values_of_the_fields() -> None:
    assert hash(Linear(1, "a", 3)) == hash((("weight", 1), ("bias", "a"), ("size", 3)))
    assert hash(Module()) == hash(())
    assert len({Linear(1, 2), Linear(1, 2), Linear(1, 3)}) == 2


def test_the_hash_includes_defaults_that_are_not_stored() -> None:
    assert hash(Defaulted()) == hash((("x", 1),))


class Pair(Module):
    first: Any
    second: Any


@pytest.mark.parametrize(
    ("module", "path", "kind"),
    [
        (Linear(jnp.ones((2, 3)), 0), ".weight", "float32[2,3]"),
        (Linear(1, np.ones(2)), ".bias", "float64[2]"),
        (Linear(1, 2, [3]), ".size", "`list`"),
        (Pair(1, Linear(1, {})), ".second.bias", "`dict`"),
        (Pair((1, (Linear(jnp.ones(2), 1),)), 1), ".first[1][0].weight", "float32[2]"),
    ],
)
def test_an_unhashable_instance_says_which_field_is_to_blame_and_what_to_do(module: Any, path: str, kind: str) -> None:
    with pytest.raises(TypeError, match="unhashable type") as info:
        hash(module)
    assert f"`{path}`" in str(info.value)
    assert kind in str(info.value)
    assert type(module).__name__ in str(info.value)
    assert "filter_jit" in str(info.value)


def test_a_class_that_defines_equality_alone_is_unhashable_as_usual() -> None:
    class Loose(Linear):  # noqa: PLW1641
        def __eq__(self, other: object) -> bool:
            return True

    with pytest.raises(TypeError, match="unhashable type"):
        hash(Loose(1, 2))


def test_jax_hashes_what_it_calls_so_that_hashable_instances_can_be_compiled() -> None:
    assert jax.jit(Linear(2.0, 1.0))(3.0) == 7.0
    assert jax.jit(Linear(2.0, 1.0).apply)(3.0) == 7.0
    assert jax.checkpoint(Linear(2.0, 1.0).apply)(3.0) == 7.0


def test_compiling_what_holds_arrays_says_which_field_is_to_blame_and_what_to_do() -> None:
    linear = Linear(jnp.array(2.0), 1.0)
    for function, path in ((linear, ".weight"), (linear.apply, ".__self__.weight")):
        with pytest.raises(TypeError, match="unhashable type") as info:
            jax.jit(function)(3.0)
        assert f"`{path}`" in str(info.value)
        assert "filter_jit" in str(info.value)
        assert eqx.filter_jit(function)(3.0) == 7.0


def test_transformations_that_do_not_hash_work_with_arrays() -> None:
    linear = Linear(jnp.array(2.0), 1.0)
    assert jnp.array_equal(jax.vmap(linear)(jnp.arange(3.0)), jnp.array([1.0, 3.0, 5.0]))
    assert jax.grad(linear.apply)(3.0) == 2.0
    assert jnp.array_equal(jax.lax.map(linear, jnp.arange(3.0)), jnp.array([1.0, 3.0, 5.0]))


# Printing


def test_an_instance_is_printed_by_its_fields() -> None:
    assert repr(Linear(jnp.ones((2, 3)), None, 2)) == "Linear(weight=f32[2,3], bias=None, size=2)"
    assert str(Linear(1, 2)) == repr(Linear(1, 2)) == eqx.tree_pformat(Linear(1, 2)) == "Linear(weight=1, bias=2)"


def test_a_subclass_may_print_itself_differently() -> None:
    class Loud(Linear):
        def __repr__(self) -> str:
            return "LOUD"

    assert str(Loud(1, 2)) == repr(Loud(1, 2)) == "LOUD"


def test_an_instance_is_not_iterable() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(Linear(1, 2))


# Copying and pickling


@given(module=modules())
def test_a_copy_shares_the_values_and_has_the_same_structure(module: Any) -> None:
    copied = copy.copy(module)
    assert copied is not module
    assert jax.tree.structure(copied) == untyped(jax.tree.structure(module))
    assert all(a is b for a, b in zip(jax.tree.leaves(copied), jax.tree.leaves(module), strict=True))


def test_a_deep_copy_copies_the_values() -> None:
    module = Linear([1], Linear([2], 3))
    copied = copy.deepcopy(module)
    assert copied == module
    assert copied.weight is not module.weight
    assert copied.bias is not module.bias
    assert copied.bias.weight is not module.bias.weight


@pytest.mark.parametrize(
    "module",
    [
        Linear(1, 2),
        Linear(Linear(1, [2]), None, "static"),
        Module(),
        Defaulted(),
        Slotted(3),
        untyped(Box)[int](3),
        Linear(1, 2).apply,
        eqx.Partial(divmod, 7),
    ],
    ids=show,
)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("prepare", [lambda m: m, lambda m: jax.tree.map(lambda x: x, m), copy.copy, copy.deepcopy])
def test_pickling_preserves_value_structure_and_immutability(module: Any, protocol: int, prepare: Any) -> None:
    module = prepare(module)
    restored = pickle.loads(pickle.dumps(module, protocol))
    assert type(restored) is type(module)
    assert restored == module
    assert jax.tree.structure(restored) == untyped(jax.tree.structure(module))
    assert is_frozen(restored)


def test_pickling_preserves_arrays() -> None:
    linear = Linear(jnp.arange(3.0), np.arange(2))
    restored = pickle.loads(pickle.dumps(linear))
    assert bool(restored == linear)
    assert isinstance(restored.weight, jax.Array)
    assert isinstance(restored.bias, np.ndarray)


@pytest.mark.parametrize("state", [{"y": 3}, {"x": 2, "y": 3, "__doc__": "Text."}, {"x": 2, "y": 3}])
def test_the_first_instance_in_a_process_may_come_out_of_a_pickle(state: dict[str, Any]) -> None:
    class Fresh(Module):
        x: int = 1
        y: int = 2

        def __init__(self) -> None: ...

    # As if unpickled: no instance was ever constructed, so the class has met none that lacks a field or has a name.
    restored: Any = object.__new__(Fresh)
    restored.__setstate__(state)
    assert jax.tree.leaves(restored) == [value for name, value in state.items() if name in ("x", "y")]
    assert vars(jax.tree.map(lambda x: x, restored)) == state


# What else instances can do


def test_the_attributes_of_an_instance_are_its_fields_in_the_order_of_assignment() -> None:
    class Backwards(Module):
        a: int
        b: int

        def __init__(self) -> None:
            self.b = 2
            self.a = 1

    assert list(vars(Linear(1, 2)).items()) == [("weight", 1), ("bias", 2), ("size", 1)]
    assert list(vars(Backwards()).items()) == [("b", 2), ("a", 1)]


def test_instances_can_be_referenced_weakly_and_are_freed_at_once() -> None:
    linear = Linear(1, 2)
    reference = weakref.ref(linear)
    gc.disable()  # nothing but the count of references is to free it
    try:
        assert reference() is linear
        del linear
        assert reference() is None
    finally:
        gc.enable()


def test_a_cached_property_is_computed_once_and_is_no_part_of_the_value() -> None:
    calls: list[int] = []

    class Cached(Module):
        x: int

        @functools.cached_property
        def double(self) -> int:
            calls.append(self.x)
            return 2 * self.x

    cached, fresh = Cached(1), Cached(1)
    assert cached.double == cached.double == 2
    assert calls == [1]
    assert cached == fresh
    assert jax.tree.structure(cached) == untyped(jax.tree.structure(fresh))
    assert jax.tree.map(lambda x: 10 * x, cached).double == 20


def test_a_class_may_answer_for_attributes_that_are_not_there() -> None:
    class Answering(Module):
        x: int

        def __getattr__(self, name: str) -> str:
            if name.startswith("__"):
                raise AttributeError(name)
            return f"no {name}"

    answering = Answering(1)
    assert (answering.x, answering.y) == (1, "no y")
    assert jax.tree.map(lambda x: x, answering) == answering
    assert copy.copy(answering) == answering


def test_functions_are_ordinary_leaves() -> None:
    module = Pair(jnp.tanh, jax.tree_util.Partial(jnp.add, 1))
    assert jax.tree.leaves(module) == [jnp.tanh, 1]
    assert module.first(0.0) == 0.0
    with pytest.raises(TypeError, match="PjitFunction"):
        jax.jit(lambda m: 0)(module)
    assert eqx.filter_jit(lambda m: m.second(2))(module) == 3


def test_an_instance_can_cross_transformations_whole() -> None:
    linear = Linear(jnp.array(2.0), jnp.array(1.0))
    doubled = jax.jit(lambda m: jax.tree.map(lambda x: 2 * x, m))(linear)
    assert isinstance(doubled, Linear)
    assert (doubled.weight, doubled.bias, doubled.size) == (4.0, 2.0, 1)
    gradient = jax.grad(lambda m: m(3.0))(linear)
    assert (gradient.weight, gradient.bias) == (3.0, 1.0)
    batch = jax.vmap(Linear)(jnp.arange(3.0), jnp.arange(3.0))
    assert batch.weight.shape == (3,)
    carry, _ = jax.lax.scan(lambda m, _: (jax.tree.map(lambda x: x + 1, m), None), linear, None, length=3)
    assert carry.weight == 5.0
    weights = jax.vmap(lambda m: m.weight, in_axes=(Linear(0, None),))(Linear(jnp.ones(3), 1))
    assert jnp.array_equal(weights, jnp.ones(3))


def test_instances_may_be_used_from_many_threads() -> None:
    linear = Linear(jnp.array(2.0), jnp.array(1.0))
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.extend(jax.tree.map(lambda x: x + 1, linear)(1.0) for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [float(result) for result in results] == [5.0] * 80
