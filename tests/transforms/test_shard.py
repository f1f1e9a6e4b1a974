"""`filter_shard`: on which devices the arrays of a tree are."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.layout import Format
from jax.sharding import Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

import equinox as eqx
from tests.four_devices import Checks

check = Checks(__file__)
x = np.arange(8.0, dtype=np.float32)


class Model(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    activation: typing.Any = jnp.tanh


def mesh():
    return Mesh(np.array(jax.devices()), ("devices",))


def split():
    return NamedSharding(mesh(), P("devices"))


def whole():
    return NamedSharding(mesh(), P())


def each_way(function, *args):
    """Call a function eagerly and compiled."""
    return [function(*args), eqx.filter_jit(function)(*args)]


def model():
    return Model(jnp.arange(8.0), x, jax.nn.relu)


# On one device


def test_arrays_become_jax_arrays_and_the_rest_stays():
    device = jax.devices("cpu")[0]
    tree = {"model": Model(jnp.ones(2), np.ones(3, np.float32)), "n": 3, "text": "text", "nothing": None}
    for found in each_way(lambda tree: eqx.filter_shard(tree, device), tree):
        assert found["model"].activation is jnp.tanh
        assert (found["n"], type(found["n"]), found["text"], found["nothing"]) == (3, int, "text", None)
        for leaf, size in zip(jax.tree.leaves(found["model"])[:2], (2, 3), strict=True):
            assert isinstance(leaf, jax.Array)
            assert leaf.devices() == {device}
            np.testing.assert_array_equal(leaf, np.ones(size))


def test_derivatives_pass_through():
    sharding = SingleDeviceSharding(jax.devices("cpu")[0])
    gradient = eqx.filter_grad(lambda model: jnp.sum(eqx.filter_shard(model, sharding).weight ** 2))
    np.testing.assert_array_equal(gradient(model()).weight, 2 * x)
    np.testing.assert_array_equal(eqx.filter_jit(gradient)(model()).weight, 2 * x)
    assert eqx.filter_vmap(lambda y: eqx.filter_shard(y, sharding))(jnp.ones((2, 8))).shape == (2, 8)


@pytest.mark.parametrize("leaf", ["text", 3, (0, [None, 1.0])])
def test_what_is_no_sharding_is_an_error_that_says_where(leaf):
    with pytest.raises(TypeError, match="device_or_shardings") as info:
        eqx.filter_shard((x, (x, x)), {"a": leaf})
    assert "['a']" in str(info.value)


def test_shardings_that_are_no_prefix_are_an_error_that_says_where():
    sharding = SingleDeviceSharding(jax.devices("cpu")[0])
    with pytest.raises(ValueError, match=r"device_or_shardings.*\.bias"):
        eqx.filter_shard(model(), Model(sharding, [sharding], None))


# On four devices


@check
def a_device_is_where_all_arrays_go():
    device = jax.devices()[2]
    for found in each_way(lambda model: eqx.filter_shard(model, device), model()):
        assert found.weight.devices() == found.bias.devices() == {device}
        assert found.activation is jax.nn.relu


@check
def one_sharding_is_for_all_arrays():
    for found in each_way(lambda model: eqx.filter_shard(model, split()), model()):
        assert found.weight.sharding.is_equivalent_to(split(), 1)
        assert found.bias.sharding.is_equivalent_to(split(), 1)
        np.testing.assert_array_equal(found.weight, x)


@check
def shardings_may_be_a_prefix():
    for prefix in (Model(split(), whole(), None), Model(split(), whole(), split())):
        for found, rest in each_way(lambda tree: eqx.filter_shard(tree, (prefix, None)), (model(), x)):  # noqa: B023
            assert found.weight.sharding.is_equivalent_to(split(), 1)
            assert found.bias.sharding.is_equivalent_to(whole(), 1)
            np.testing.assert_array_equal(rest, x)


@check
def none_leaves_arrays_alone():
    y = jax.device_put(x, jax.devices()[1])
    assert eqx.filter_shard([y, y], [split(), None])[1] is y


@check
def arrays_are_taken_away_from_where_they_are():
    # Which a constraint cannot do.
    elsewhere = jax.device_put(x, jax.devices()[1])
    assert eqx.filter_shard(elsewhere, split()).sharding.is_equivalent_to(split(), 1)
    assert eqx.filter_shard(jax.device_put(x, split()), jax.devices()[1]).devices() == {jax.devices()[1]}


@check
def in_a_compiled_function_it_is_a_constraint():
    text = eqx.filter_jit(lambda y: eqx.filter_shard(2 * y, split()) + 1).lower(x).as_text()
    assert "sharding" in text
    jaxpr, _, _ = eqx.filter_make_jaxpr(lambda y: eqx.filter_shard(y, split()))(x)
    assert [equation.primitive.name for equation in jaxpr.eqns] == ["sharding_constraint"]


@check
def partition_specs_do_in_the_context_of_a_mesh():
    with jax.set_mesh(mesh()):
        for found in each_way(lambda model: eqx.filter_shard(model, Model(P("devices"), P(), None)), model()):
            assert found.weight.sharding.is_equivalent_to(split(), 1)
            assert found.bias.sharding.is_equivalent_to(whole(), 1)


@check
def layouts_are_accepted():
    assert eqx.filter_shard(x, Format(None, split())).sharding.is_equivalent_to(split(), 1)


@check
def an_array_that_cannot_be_split_is_jax_s_error():
    with pytest.raises(ValueError, match="divi"):
        eqx.filter_shard(np.arange(3.0), split())


@pytest.mark.parametrize("name", check.names)
def test_on_four_devices(name):
    check.assert_passed(name)


if __name__ == "__main__":
    check.main()
