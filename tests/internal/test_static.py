import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.internal import Static


class Incomparable:
    """A container that must not be compared."""

    def __init__(self, item):
        self.item = item

    def __eq__(self, other):
        raise AssertionError

    def __hash__(self):
        raise AssertionError


jax.tree_util.register_pytree_node(Incomparable, lambda x: ((x.item,), None), lambda _, items: Incomparable(*items))


@pytest.mark.parametrize("value", [1, "text", None, [1, {"a": (2.5, None)}], jnp.tanh])
def test_it_has_no_leaves_and_gives_the_value_back(value):
    static = Static(value)
    assert jax.tree.leaves(static) == []
    assert static.value == value


def test_arrays_are_kept_without_a_warning():
    x = jnp.arange(3)
    assert Static({"x": x}).value["x"] is x


def test_equality_is_that_of_structure_and_leaves():
    assert Static([1, "a"]) == Static([1, "a"])
    assert Static([1, "a"]) != Static((1, "a"))
    assert Static([1, "a"]) != Static([1, "b"])
    assert Static(Incomparable(1)) == Static(Incomparable(1))
    assert jax.tree.structure(Static(np.arange(3))) != jax.tree.structure(Static(np.arange(3)))
    assert Static(float("nan")) == Static(float("nan"))


@pytest.mark.parametrize("other", [1.0, True, np.int64(1)])
def test_numbers_of_different_types_differ(other):
    assert Static(1) != Static(other)
    assert Static(0.0) != Static(-0.0)


def test_it_has_a_hash_if_the_leaves_have_one():
    assert hash(Static([1, "a"])) == hash(Static([1, "a"]))
    with pytest.raises(TypeError):
        hash(Static({1, 2}))


def test_it_goes_in_and_out_of_compiled_functions():
    traces: list[int] = []

    @jax.jit
    def power(x, exponent):
        traces.append(exponent.value)
        return x**exponent.value, Static([exponent.value, "name"])

    assert power(3.0, Static(2))[1].value == [2, "name"]
    assert power(3.0, Static(2))[0] == 9
    assert power(3.0, Static(3))[0] == 27
    assert traces == [2, 3]


def test_it_prints_its_value():
    assert repr(Static([1, jnp.arange(3)])) == "Static([1, i32[3]])"
    assert eqx.tree_pformat({"a": Static("b")}) == "{'a': Static('b')}"


def test_arrays_go_in_and_out_of_compiled_functions_too():
    @jax.jit
    def function(x, table):
        return x + table.value[1], table

    table = Static(np.arange(3))
    result, same = function(1.0, table)
    assert result == 2
    assert same.value is table.value
