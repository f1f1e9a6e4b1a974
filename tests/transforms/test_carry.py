"""What a loop may carry, and what is said of a carry or an output that changes."""

import typing

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx


class Layer(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)


class Model(eqx.Module):
    layers: typing.Any


MODEL = Model([Layer(jnp.ones(3)), Layer(jnp.ones(3))])


def make_function():
    return lambda: 0


def by_scan(step, carry):
    return eqx.filter_scan(lambda carry, _: (step(carry), None), carry, length=2)[0]


def by_while_loop(step, carry):
    def once_more(state):
        count, carry = state
        return count + 1, step(carry)

    return eqx.filter_while_loop(lambda state: state[0] < 2, once_more, (jnp.asarray(0), carry))[1]


def by_fori_loop(step, carry):
    return eqx.filter_fori_loop(0, 2, lambda _, carry: step(carry), carry)


LOOPS = [
    pytest.param(by_scan, "filter_scan", "carry", id="scan"),
    pytest.param(by_while_loop, "filter_while_loop", "carry[1]", id="while_loop"),
    pytest.param(by_fori_loop, "filter_fori_loop", "carry", id="fori_loop"),
]


def at_weight(model, new):
    return eqx.tree_at(lambda model: model.layers[1].weight, model, new)


def at_activation(model, new):
    return eqx.tree_at(lambda model: model.layers[1].activation, model, new)


def at_layer(model, new):
    return eqx.tree_at(lambda model: model.layers[1], model, new)


#: A step, the carry that it starts from, where the two versions differ, and what they are, in part.
CHANGES = [
    pytest.param(
        lambda m: at_weight(m, jnp.ones(4)), MODEL, ".layers[1].weight", "float32[3]", "float32[4]", id="shape"
    ),
    pytest.param(
        lambda m: at_weight(m, jnp.ones(3, int)), MODEL, ".layers[1].weight", "float32[3]", "int32[3]", id="dtype"
    ),
    pytest.param(
        lambda m: at_activation(m, "relu"), MODEL, ".layers[1].activation", "tanh", "'relu'", id="static leaf"
    ),
    pytest.param(
        lambda m: at_layer(m, Layer(m.layers[1].weight, size=7)),
        MODEL,
        ".layers[1].size",
        "`int`: 1",
        "`int`: 7",
        id="static field",
    ),
    pytest.param(lambda m: Model(m.layers[:1]), MODEL, ".layers", "[0], [1]", "[0]`", id="structure, less"),
    pytest.param(lambda m: Model([*m.layers, 1]), MODEL, ".layers", "[0], [1]", "[0], [1], [2]", id="structure, more"),
    pytest.param(lambda m: at_layer(m, {"a": 1}), MODEL, ".layers[1]", "`Layer`", "`dict`", id="structure, type"),
    pytest.param(
        lambda m: at_weight(m, None), MODEL, ".layers[1].weight", "float32[3]", "`None`", id="structure, None"
    ),
    pytest.param(lambda m: at_weight(m, [1]), MODEL, ".layers[1].weight", "float32[3]", "`list`", id="leaf to node"),
    pytest.param(lambda c: {"n": c["n"] + 1}, {"n": 0}, "['n']", "`int`: 0", "`int`: 1", id="Python number"),
    pytest.param(lambda c: {"n": 1.0}, {"n": 1}, "['n']", "`int`: 1", "`float`: 1.0", id="type of Python number"),
    pytest.param(lambda c: {"n": jnp.ones(2)}, {"n": 0}, "['n']", "`int`: 0", "float32[2]", id="number to array"),
    pytest.param(lambda c: {"n": "text"}, {"n": jnp.ones(2)}, "['n']", "float32[2]", "'text'", id="array to text"),
    pytest.param(
        lambda c: {"f": make_function()},
        {"f": make_function()},
        "['f']",
        "make_function",
        "make_function",
        id="function",
    ),
    pytest.param(lambda c: jnp.ones(2), jnp.ones(3), "", "float32[3]", "float32[2]", id="a bare array"),
]


@pytest.mark.parametrize(("loop", "name", "root"), LOOPS)
@pytest.mark.parametrize(("step", "carry", "path", "before", "after"), CHANGES)
def test_a_carry_that_changes_is_an_error_that_names_the_leaf_and_both_versions(
    loop, name, root, step, carry, path, before, after
):
    with pytest.raises(TypeError) as caught:
        loop(step, carry)
    first, entry = str(caught.value).splitlines()
    assert f"`{name}`" in first
    place, versions = entry.removeprefix("- ").split(": given ")
    given, returned = versions.split("; returned ")
    assert place == f"`{root}{path}`"
    assert before in given
    assert after in returned


def test_all_leaves_that_change_are_named():
    with pytest.raises(TypeError) as caught:
        by_scan(lambda carry: {"a": jnp.ones(2), "b": "x", "c": carry["c"]}, {"a": jnp.ones(3), "b": "y", "c": 1})
    message = str(caught.value)
    assert "`carry['a']`" in message
    assert "`carry['b']`" in message
    assert "`carry['c']`" not in message


@pytest.mark.parametrize(
    ("step", "carry", "advice"),
    [
        (lambda c: c + 1, 0, "jnp.asarray(...)"),
        (lambda c: c.astype(int), jnp.ones(2), ".astype"),
        (lambda c: make_function(), make_function(), "outside"),
        (lambda c: jnp.ones(2), jnp.ones(3), "buffer"),
        (lambda c: (c,), [1], "tree_at"),
    ],
)
def test_the_error_says_what_to_do(step, carry, advice):
    with pytest.raises(TypeError) as caught:
        by_scan(step, carry)
    assert advice in str(caught.value)


@pytest.mark.parametrize(("loop", "name", "root"), LOOPS)
def test_a_carry_that_is_changed_in_place_is_seen_through(loop, name, root):
    def step(carry):
        carry["x"] = jnp.ones(3)
        return carry

    start = {"x": jnp.ones(2)}
    with pytest.raises(TypeError) as caught:
        loop(step, start)
    assert f"`{root}['x']`: given float32[2]; returned float32[3]" in str(caught.value)
    assert start["x"].shape == (2,)


# What JAX makes fit by itself is no error


@pytest.mark.parametrize(("loop", "name", "root"), LOOPS)
@pytest.mark.parametrize(
    ("step", "start"),
    [
        pytest.param(lambda c: c + jnp.float32(1), jnp.asarray(0), id="weak int to float"),
        pytest.param(lambda c: c + jnp.float32(1), jnp.asarray(0.0), id="weak to strong"),
        pytest.param(lambda c: jnp.bfloat16(2), jnp.asarray(0.0), id="weak float to a narrower one"),
        pytest.param(lambda c: jnp.asarray(2.0), jnp.zeros(()), id="strong to weak"),
        pytest.param(lambda c: 2.0, jnp.zeros(()), id="Python number in the place of an array"),
    ],
)
def test_numbers_of_weak_type_are_converted_as_by_jax(loop, name, root, step, start):
    expected = jax.lax.scan(lambda carry, _: (step(carry), None), start, length=2)[0]
    result = loop(step, start)
    assert result == expected == 2
    assert result.dtype == expected.dtype


@pytest.mark.parametrize(("loop", "name", "root"), LOOPS)
@pytest.mark.parametrize(
    ("step", "start"),
    [
        pytest.param(lambda c: jnp.ones((), int), jnp.asarray(0.0), id="weak float to int"),
        pytest.param(lambda c: jnp.ones((), bool), jnp.asarray(0), id="weak int to bool"),
        pytest.param(lambda c: 1.0, jnp.asarray(0, jnp.int32), id="int to Python float"),
        pytest.param(lambda c: jax.random.key(0), jnp.asarray(0.0), id="weak float to key"),
    ],
)
def test_what_jax_would_not_convert_is_an_error(loop, name, root, step, start):
    with pytest.raises((TypeError, ValueError)):
        jax.lax.scan(lambda carry, _: (step(carry), None), start, length=2)
    with pytest.raises(TypeError) as caught:
        loop(step, start)
    assert f"`{root}`: given {start.dtype}[]" in str(caught.value)


@pytest.mark.parametrize(("loop", "name", "root"), LOOPS)
def test_static_leaves_need_not_be_hashable_but_must_be_the_same(loop, name, root):
    carry = {"set": {1, 2}, "nan": float("nan"), "function": jnp.tanh, "x": jnp.ones(2), "none": None}
    result = loop(lambda carry: carry | {"set": {2, 1}, "nan": float("nan")}, carry)
    assert result["set"] is carry["set"]
    assert result["function"] is jnp.tanh
    assert result["none"] is None
    for zero in (0.0, -0.0):
        assert str(loop(lambda carry: carry, zero)) == str(zero)
    with pytest.raises(TypeError):
        loop(lambda carry: -carry, 0.0)
