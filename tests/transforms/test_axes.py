"""Which axis of which leaf is mapped: axes as prefixes of trees, by name, and through functions."""

import copy
import pickle
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._transforms.axes import argument_axes, as_axes, axis_size, output_axes

x = jnp.arange(6.0).reshape(2, 3)


class Model(eqx.Module):
    weight: typing.Any
    name: typing.Any = "name"


def function(a, b=1, *rest, c=2):
    return a


def axes_of(in_axes, *args, function=function):
    return argument_axes(as_axes("in_axes", in_axes), function, args)


# if_array


def test_if_array_is_the_axis_for_arrays_and_none_for_all_else():
    axis = eqx.if_array(1)
    assert [axis(leaf) for leaf in (x, np.ones(2), np.float32(1.0), jax.random.key(0))] == [1] * 4
    assert [axis(leaf) for leaf in (1, 1.0, True, "text", None, len)] == [None] * 6
    assert jax.vmap(lambda leaf: jnp.array(axis(leaf)))(x).tolist() == [1, 1]


def test_if_array_is_a_value_like_a_number():
    axis = eqx.if_array(2)
    assert axis == eqx.if_array(2)
    assert axis != eqx.if_array(1)
    assert hash(axis) == hash(eqx.if_array(2))
    assert jax.tree.leaves(axis) == [axis]
    assert axis.axis == 2
    assert "2" in repr(axis)
    assert pickle.loads(pickle.dumps(axis)) == axis
    with pytest.raises(AttributeError):
        axis.axis = 3


# Prefixes


@pytest.mark.parametrize(
    ("in_axes", "expected"),
    [
        (eqx.if_array(0), [0, None, 0]),
        (None, [None, None, None]),
        (1, [1, 1, 1]),
        (-1, [-1, -1, -1]),
        ((0, None), [0, 0, None]),
        ((None, 1), [None, None, 1]),
        ((eqx.if_array(1), 0), [1, None, 0]),
        ((Model(0, None), None), [0, None, None]),
        ((Model(None, eqx.if_array(1)), 2), [None, None, 2]),
        ((lambda leaf: 1 if leaf is x else None, 0), [1, None, 0]),
        ({"a": None}, [None, None, 0]),
        ({"b": 1, "a": Model(2, None)}, [2, None, 1]),
        ({}, [0, None, 0]),
    ],
)
def test_axes_are_spread_over_the_leaves_below_them(in_axes, expected):
    assert axes_of(in_axes, Model(x), x) == expected


def test_a_none_in_axes_stands_for_whatever_is_below_it():
    assert axes_of((None, 0), [x, {"a": x}, None], x) == [None, None, 0]
    assert axes_of((0, None), None, None) == []


def test_names_reach_any_number_of_arguments():
    args = x, 1, x, "text"
    assert axes_of({"rest": (1, None)}, *args) == [0, None, 1, None]
    assert axes_of({"rest": 0}, *args) == [0, None, 0, 0]


def test_outputs_have_axes_in_the_same_way():
    output = {"model": Model(x), "x": x}
    assert output_axes(as_axes("out_axes", {"model": 1, "x": None}), output) == [1, 1, None]
    assert output_axes(as_axes("out_axes", eqx.if_array(0)), output) == [0, None, 0]


def test_options_can_be_hashed_compared_and_copied():
    for axes in (eqx.if_array(0), {"a": [0, None]}, (Model(0, None), None)):
        option = as_axes("in_axes", axes)
        assert option == as_axes("in_axes", axes)
        assert hash(option) == hash(as_axes("in_axes", axes))
        assert option.tree == axes
        assert copy.deepcopy(option) == option
        assert pickle.loads(pickle.dumps(option)) == option
    assert as_axes("in_axes", (0, None)) != as_axes("in_axes", (0, 0))


# Errors


@pytest.mark.parametrize("leaf", [1.5, "0", True, np.int64(0), x])
@pytest.mark.parametrize("argument", ["in_axes", "out_axes"])
def test_leaves_of_another_kind_are_an_error_that_says_where(argument, leaf):
    with pytest.raises(ValueError, match=argument) as info:
        as_axes(argument, (0, {"a": leaf}))
    assert "[1]['a']" in str(info.value)
    assert type(leaf).__name__ in str(info.value) or "float32[2,3]" in str(info.value)


@pytest.mark.parametrize("answer", ["text", 1.0, True, x])
def test_a_function_that_returns_no_axis_is_an_error(answer):
    with pytest.raises(TypeError, match=r"in_axes.*returned"):
        axes_of((lambda _: answer,), x)


@pytest.mark.parametrize("in_axes", [[0], (0, 0), (0,), {"a": [0]}, ({"weight": 0}, None)])
def test_axes_that_are_no_prefix_are_an_error(in_axes):
    args = (x,) if in_axes == (0, 0) else (Model(x), x)
    with pytest.raises(ValueError, match="in_axes"):
        axes_of(in_axes, *args)


def test_axes_that_are_no_prefix_say_where_they_part():
    with pytest.raises(ValueError, match=r"in_axes.*\[0\]\.weight"):
        axes_of((Model([0], None), None), Model({"a": x}), x)
    with pytest.raises(ValueError, match=r"in_axes\['a'\].*\.weight"):
        axes_of({"a": Model([0], None)}, Model({"a": x}), x)


@pytest.mark.parametrize("name", ["b", "c", "d"])
def test_a_name_of_no_argument_that_was_passed_is_an_error(name):
    with pytest.raises(ValueError, match=f"'{name}'.*`function`.*'a'"):
        axes_of({name: None}, x)


def test_names_need_a_signature():
    with pytest.raises(ValueError, match=r"`in_axes`.*`max`"):
        axes_of({"a": None}, x, function=max)


def test_a_call_that_does_not_fit_the_signature_is_python_s_error():
    with pytest.raises(TypeError, match="missing a required argument"):
        axes_of({"a": None})


# Sizes


def test_the_size_is_that_of_every_mapped_axis():
    assert axis_size(function, (x, x.T, "text"), [0, 1, None], None) == 2
    assert axis_size(function, (x, x.T), [-1, -2], None) == 3
    assert axis_size(function, (x, x.T), [0, 1], 2) == 2
    assert axis_size(function, (x, "text"), [None, None], 4) == 4
    assert axis_size(function, (x, "text"), [None, None], None) is None


def test_different_sizes_are_an_error_that_names_the_leaves():
    with pytest.raises(ValueError, match="got inconsistent sizes for array axes") as info:
        axis_size(function, (x, {"y": x.T}), [0, 0], None)
    for part in ("`function`", "`a`", "float32[2,3]", "size 2", "`b`", "['y']", "float32[3,2]", "size 3"):
        assert part in str(info.value)


def test_a_size_other_than_the_one_asked_for_is_an_error():
    with pytest.raises(ValueError, match=r"inconsistent sizes(.|\n)*`axis_size` is 5(.|\n)*size 2"):
        axis_size(function, (x,), [0], 5)


def test_different_sizes_are_reported_even_if_there_is_something_that_is_no_array():
    for args, axes in [(("text", x, x.T), [0, 0, 0]), ((x, 1.0, x.T), [0, 0, 0])]:
        with pytest.raises(ValueError, match="inconsistent sizes"):
            axis_size(function, args, axes, None)


@pytest.mark.parametrize(
    ("leaf", "axis", "found"),
    [
        ("text", 0, "'text'"),
        (1.0, 0, "1.0"),
        (x, 2, "float32[2,3]"),
        (x, -3, "float32[2,3]"),
        (np.float32(1), 0, "1.0"),
    ],
)
def test_an_axis_that_is_not_there_is_an_error_that_names_the_leaf(leaf, axis, found):
    with pytest.raises(ValueError, match="in_axes") as info:
        axis_size(function, (x, [leaf]), [0, axis], None)
    for part in (f"axis {axis}", "`b`", "[0]", "`function`", found):
        assert part in str(info.value)
