import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox import Module, field, static_field
from tests.untyped import untyped

# The field itself


def test_without_options_of_its_own_a_field_is_that_of_dataclasses() -> None:
    made = untyped(field(default=1, repr=False, kw_only=True, hash=False, compare=False, init=False))
    assert isinstance(made, dataclasses.Field)
    assert (made.default, made.repr, made.kw_only, made.hash, made.compare, made.init) == (1, False, True, *[False] * 3)
    assert dict(made.metadata) == {}


def test_the_options_are_kept_in_the_metadata_next_to_that_of_the_user() -> None:
    metadata = {"unit": "m"}
    made = untyped(field(converter=float, static=True, metadata=metadata, default=0.0))
    assert dict(made.metadata) == {"unit": "m", "converter": float, "static": True}
    assert metadata == {"unit": "m"}
    assert dict(untyped(field(static=False, converter=None)).metadata) == {}


@pytest.mark.parametrize("key", ["converter", "static"])
def test_metadata_that_already_has_the_key_of_an_option_is_an_error_that_names_it(key: str) -> None:
    with pytest.raises(ValueError, match="metadata") as info:
        field(metadata={key: None})
    assert repr(key) in str(info.value)


def test_an_option_that_dataclasses_do_not_have_is_their_error() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        untyped(field)(nonsense=1)
    with pytest.raises(TypeError, match="positional"):
        untyped(field)(1)
    with pytest.raises(ValueError, match="default"):
        untyped(field)(default=1, default_factory=int)


# What only the metadata decides


def with_unit(unit: str, **kwargs: Any) -> Any:
    """A wrapper around `field`, as users write them."""
    return field(metadata={"unit": unit}, **kwargs)


class Mixed(Module):
    by_field: Any = field(static=True)
    by_metadata: Any = dataclasses.field(metadata={"static": True})
    not_by_metadata: Any = dataclasses.field(metadata={"static": False})
    converted_by_metadata: Any = dataclasses.field(metadata={"converter": str})
    wrapped: Any = with_unit("m", static=True, converter=str)


def test_only_the_metadata_of_a_field_matters() -> None:
    mixed = Mixed(1, 2, 3, 4, 5)
    assert jax.tree.leaves(mixed) == [3, "4"]
    assert mixed.wrapped == "5"
    assert dataclasses.fields(Mixed)[-1].metadata["unit"] == "m"


# Static fields


class Config(Module):
    value: Any
    option: Any = field(static=True)


def test_a_static_field_is_no_leaf_but_part_of_the_structure() -> None:
    assert jax.tree.leaves(Config(1, 2)) == [1]
    structure: Callable[[Any], Any] = jax.tree.structure
    assert structure(Config(1, 2)) == structure(Config(3, 2))
    assert structure(Config(1, 2)) != structure(Config(1, 3))
    assert hash(structure(Config(1, 2))) == hash(structure(Config(3, 2)))
    with pytest.raises(ValueError, match=r"[Cc]ustom|metadata"):
        jax.tree.map(lambda x, y: x, Config(1, 2), Config(1, 3))


def test_a_change_of_a_static_field_compiles_again_and_nothing_else_does() -> None:
    traces: list[Any] = []

    @jax.jit
    def f(config: Config) -> Any:
        traces.append(config.option)
        return config.value

    for value, option in [(1.0, "a"), (2.0, "a"), (3.0, "b"), (4.0, "a")]:
        assert f(Config(value, option)) == value
    assert traces == ["a", "b"]


@pytest.mark.parametrize("option", [[1, 2], {"a": 1}, {1: "unsorted", "a": 2}])
def test_a_static_field_may_be_unhashable(option: Any) -> None:
    assert jax.jit(lambda config: config.value + len(config.option))(Config(1.0, option)) == 1.0 + len(option)
    mapped = jax.tree.map(lambda x: 2 * x, Config(1, option))
    assert mapped.option is option


# Converters


def test_a_converter_takes_effect_when_init_has_ended() -> None:
    class Weighted(Module):
        weight: jax.Array = field(converter=jnp.asarray)

        def __init__(self, weight: Any) -> None:
            self.weight = weight
            assert type(self.weight) is type(weight)

    assert isinstance(Weighted([1.0, 2.0]).weight, jax.Array)


def test_unflattening_and_copying_do_not_convert() -> None:
    class Strict(Module):
        weight: Any = field(converter=jnp.asarray)

        def __check_init__(self) -> None:
            if self.weight.ndim != 1:
                raise ValueError

    strict = Strict(np.ones(2))
    assert jax.tree.map(lambda _: "anything", strict).weight == "anything"
    replaced = eqx.tree_at(lambda s: s.weight, strict, None)
    assert replaced.weight is None
    assert jax.vmap(lambda s: s.weight + 1)(strict).shape == (2,)


# Fields that a subclass overrides


def nobody_asks(self: Any) -> Any:
    raise AssertionError


def test_a_field_that_is_not_for_init_may_be_overridden_by_a_property() -> None:
    class Abstract(Module):
        size: int = field(init=False)
        static_size: int = field(init=False, static=True)

    class Concrete(Abstract):
        weight: int

        size = untyped(property(lambda self: self.weight + 1))
        static_size = untyped(property(nobody_asks))

    concrete = Concrete(2)
    assert concrete.size == 3
    assert jax.tree.leaves(concrete) == [2]
    assert jax.tree.map(lambda x: 10 * x, concrete).size == 21
    assert hasattr(Abstract, "size") is False


def test_a_field_of_init_that_is_overridden_by_a_property_cannot_be_assigned() -> None:
    class Parent(Module):
        x: int

    class Child(Parent):
        x = untyped(property(lambda self: 1))

    with pytest.raises(AttributeError, match="setter"):
        Child(1)


# The old spelling


def test_static_field_still_works_and_says_what_to_write() -> None:
    with pytest.warns(UserWarning, match="deprecated") as record:
        made = static_field(default=3, metadata={"unit": "m"})
    assert "field(static=True" in str(record[0].message)
    assert [warning.filename for warning in record] == [__file__]
    assert made.default == 3
    assert dict(made.metadata) == {"unit": "m", "static": True}
