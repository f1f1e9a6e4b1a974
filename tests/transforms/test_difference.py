"""How two versions of a leaf or of a tree are told apart, and what is said of it."""

import copy
import dataclasses
import functools as ft
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import equinox as eqx
from equinox._jax_tree import keystr
from equinox._transforms.difference import (
    ArrayType,
    Difference,
    StaticLeaf,
    array_type,
    leaf_difference,
    static_difference,
    structure_difference,
)


def place(path):
    return f"tree{keystr(path)}"


@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        (jnp.ones((2, 3)), "float32[2,3]"),
        (jnp.asarray(1.0), "float32[] (weakly typed)"),
        (1, "int32[] (weakly typed)"),
        (True, "bool[]"),
        (np.ones(2), "float32[2]"),  # what it becomes
        (np.float32(1), "float32[]"),
        (jax.random.key(0), "key<fry>[]"),
        (jax.ShapeDtypeStruct((2,), jnp.bfloat16), "bfloat16[2]"),
    ],
)
def test_the_type_of_an_array_is_what_jax_sees(leaf, text):
    assert str(array_type(leaf)) == text
    traced = []
    jax.jit(lambda x: traced.append(array_type(x)))(jnp.ones(2, jnp.bfloat16) if "bfloat16" in text else leaf)
    assert traced == [array_type(leaf)]


def test_a_mesh_is_part_of_the_type_of_an_array():
    mesh = jax.make_mesh((1,), ("devices",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:1])
    plain, placed = jnp.ones(2), jax.device_put(jnp.ones(2), NamedSharding(mesh, PartitionSpec("devices")))
    assert array_type(plain).sharding is None
    difference = leaf_difference("x", array_type(plain), array_type(placed))
    assert difference is not None
    assert difference.kind == "sharding"
    assert "devices" in difference.after


FLOAT = ArrayType((2,), np.dtype(np.float32), False, None)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"shape": (3,)}, "shape"),
        ({"dtype": np.dtype(np.int32)}, "dtype"),
        ({"weak_type": True}, "weak type"),
        ({"sharding": "a sharding"}, "sharding"),
        ({"shape": (3,), "dtype": np.dtype(np.int32), "weak_type": True}, "shape"),
    ],
)
def test_arrays_differ_in_the_first_of_shape_dtype_weak_type_and_sharding(changes, kind):
    other = dataclasses.replace(FLOAT, **changes)
    difference = leaf_difference("x", FLOAT, other)
    assert difference is not None
    assert (difference.place, difference.kind) == ("x", kind)
    assert leaf_difference("x", other, other) is None


@pytest.mark.parametrize("value", [1, 0.0, math.nan, "text", (1, 2.0), len, None, {1, 2}])
def test_static_values_that_are_the_same_do_not_differ(value):
    for same in (value, copy.deepcopy(value), float(repr(value)) if type(value) is float else value):
        assert static_difference("x", value, same) is None
        assert leaf_difference("x", StaticLeaf(value), StaticLeaf(same)) is None


@pytest.mark.parametrize(("first", "second"), [(1, 2), (1, 1.0), (1, True), (0.0, -0.0), ("1", b"1"), (len, max)])
def test_static_values_that_are_not_the_same_differ(first, second):
    difference = static_difference("x", first, second)
    assert difference is not None
    assert difference.kind == "static"
    assert repr(first) in difference.before
    assert repr(second) in difference.after


def test_an_array_and_what_is_none_differ_in_kind():
    for first, second in [(FLOAT, StaticLeaf(1)), (StaticLeaf(1), FLOAT)]:
        difference = leaf_difference("x", first, second)
        assert difference is not None
        assert difference.kind == "kind"
        assert "float32[2]" in difference.before + difference.after


class Owner:
    def method(self):
        return 0


def make():
    return lambda: 0


@pytest.mark.parametrize(
    "make",
    [
        make,
        lambda: ft.partial(make(), 1),
        lambda: jax.jit(make()),
        lambda: ft.wraps(make())(lambda: 1),
        lambda: Owner().method,
        lambda: eqx.filter_jit(make()),
    ],
)
def test_functions_that_were_made_anew_by_the_same_code_are_told_from_others(make):
    difference = static_difference("x", make(), make())
    assert difference is not None
    assert difference.kind == "function"
    other = static_difference("x", make(), lambda: 1)
    assert other is not None
    assert other.kind == "static"


class Layer(eqx.Module):
    weight: typing.Any
    size: typing.Any = eqx.field(static=True, default=1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Record:
    value: typing.Any
    name: typing.Any = dataclasses.field(metadata={"static": True}, default="a")


class Point(typing.NamedTuple):
    x: typing.Any
    y: typing.Any


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1], (1,), ("tree", "structure", "a `list`", "a `tuple`")),
        ([1], [1, 2], ("tree", "structure", "[0]`", "[0], [1]")),
        ({"a": [1]}, {"a": 1}, ("tree['a']", "structure", "a `list`", "`int`: 1")),
        ({"a": 1}, {"a": [1]}, ("tree['a']", "structure", "`int`: 1", "a `list`")),
        ([None], [1], ("tree[0]", "structure", "`None`", "`int`: 1")),
        (Point(1, 2), (1, 2), ("tree", "structure", "`Point`", "`tuple`")),
        ([Layer(1)], [Layer(1, 2)], ("tree[0].size", "static", "`int`: 1", "`int`: 2")),
        ([Record(1)], [Record(1, "b")], ("tree[0].name", "static", "'a'", "'b'")),
        (Layer(FLOAT), Layer([FLOAT]), ("tree.weight", "structure", "an array (float32[2])", "a `list`")),
        ([StaticLeaf("text")], [None], ("tree[0]", "structure", "'text'", "`None`")),
    ],
)
def test_structures_differ_at_the_first_place_that_can_be_named(before, after, expected):
    difference = structure_difference(place, before, after)
    assert (difference.place, difference.kind) == expected[:2]
    assert expected[2] in difference.before
    assert expected[3] in difference.after


@pytest.mark.parametrize(
    ("kind", "label"), [("shape", "shape was"), ("static", "static value was"), ("kind", "leaf was")]
)
def test_a_difference_reads_as_a_sentence(kind, label):
    assert str(Difference("argument `x`", kind, "this", "that")) == f"argument `x`: {label} this, is that"
