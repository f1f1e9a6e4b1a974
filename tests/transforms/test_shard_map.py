"""`filter_shard_map`: a function on every device, with any arguments and results."""

import functools as ft
import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import equinox as eqx
from tests.four_devices import Checks

check = Checks(__file__)
x = np.arange(8.0, dtype=np.float32)
spec = P("devices")


def mesh():
    return Mesh(np.array(jax.devices("cpu")), ("devices",))


class Model(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    activation: typing.Any = jnp.tanh

    def __call__(self, x):
        return self.activation(self.weight * x + self.bias)


def shard_map(function, in_specs, out_specs, **options):
    return eqx.filter_shard_map(function, mesh=mesh(), in_specs=in_specs, out_specs=out_specs, **options)


# On one device


def test_arguments_and_results_may_hold_anything():
    thing = object()

    def function(model, n, row):
        assert (type(n), model.activation) == (int, jnp.tanh)
        return {"model": model, "row": n * row, "thing": thing, "nothing": None}

    mapped = shard_map(
        function,
        (Model(None, spec, None), None, spec),
        {"model": Model(P(), spec, None), "row": spec, "thing": None, "nothing": None},
    )
    for transform in (lambda function: function, eqx.filter_jit):
        found = transform(mapped)(Model(np.float32(2.0), x), 3, x)
        assert found["model"].weight == 2
        assert found["model"].activation is jnp.tanh
        assert found["thing"] is thing
        np.testing.assert_array_equal(found["row"], 3 * x)


def test_it_can_be_applied_in_every_way():
    options = {"mesh": mesh(), "in_specs": spec, "out_specs": spec}
    for mapped in (
        eqx.filter_shard_map(jnp.negative, **options),
        eqx.filter_shard_map(**options)(jnp.negative),
        ft.partial(eqx.filter_shard_map, **options)(jnp.negative),
    ):
        np.testing.assert_array_equal(mapped(x), -x)


def test_it_looks_like_the_function_and_binds_like_one():
    class Layer(eqx.Module):
        weight: typing.Any

        @eqx.filter_shard_map(mesh=mesh(), in_specs=(None, spec), out_specs=spec)
        def method(self, x, *, scale=1.0):
            """What it does."""
            return scale * self.weight * x

    layer = Layer(jnp.float32(2.0))
    np.testing.assert_array_equal(layer.method(x, scale=3.0), 6 * x)
    np.testing.assert_array_equal(Layer.method(layer, x), 2 * x)
    assert layer.method.__name__ == "method"
    assert layer.method.__doc__ == "What it does."
    assert str(inspect.signature(layer.method)) == "(x, *, scale=1.0)"
    assert any(leaf is layer.weight for leaf in jax.tree.leaves(layer.method))
    assert shard_map(jnp.negative, spec, spec) == shard_map(jnp.negative, spec, spec)
    assert shard_map(jnp.negative, spec, spec) != shard_map(jnp.negative, P(), spec)
    assert shard_map(jnp.negative, (spec,), spec).__wrapped__ is jnp.negative


@pytest.mark.parametrize("argument", ["in_specs", "out_specs"])
def test_what_is_no_partition_spec_is_an_error_that_says_where(argument):
    specs = {"in_specs": spec, "out_specs": spec, argument: (spec, {"a": "devices"})}
    with pytest.raises(TypeError, match=rf"{argument}.*\[1\]\['a'\].*'devices'"):
        eqx.filter_shard_map(jnp.negative, mesh=mesh(), **specs)


def test_specs_that_are_no_prefix_are_an_error_that_says_where():
    with pytest.raises(ValueError, match=r"in_specs.*\[0\]\.bias"):
        shard_map(lambda model: model, (Model(spec, [spec], None),), spec)(Model(x, x))
    with pytest.raises(ValueError, match="out_specs"):
        shard_map(lambda y: (y, y), spec, (spec,))(x)


def test_what_cannot_be_called_is_rejected():
    with pytest.raises(TypeError, match="int"):
        eqx.filter_shard_map(3, in_specs=spec, out_specs=spec)


def test_gradients_flow_into_arguments_and_callable():
    def loss(model, y):
        return jnp.sum(shard_map(model, spec, spec)(y))

    model = Model(jnp.float32(2.0), jnp.float32(1.0), jax.nn.relu)
    gradient = eqx.filter_grad(loss)(model, x)
    assert (gradient.weight, gradient.bias) == (28, 8)
    np.testing.assert_array_equal(jax.grad(lambda y: loss(model, y))(x), np.full(8, 2.0))


# On four devices


@check
def every_device_has_its_part():
    def function(model, y, z):
        assert (model.weight.shape, model.bias.shape) == ((2,), (8,))
        assert (y.shape, z.shape) == ((2,), (8,))
        return model.weight * y, jax.lax.psum(jnp.sum(y), "devices"), jax.lax.axis_index("devices")[None]

    mapped = shard_map(function, (Model(spec, None, None), spec, None), (spec, P(), spec))
    for transform in (lambda function: function, eqx.filter_jit):
        y, total, index = transform(mapped)(Model(x, x), x, x)
        np.testing.assert_array_equal(y, x * x)
        assert y.sharding.is_equivalent_to(NamedSharding(mesh(), spec), 1)
        assert total == 28
        assert index.tolist() == [0, 1, 2, 3]


@check
def the_arrays_of_the_callable_are_whole_on_every_device():
    found = shard_map(lambda self, y: self(y).sum()[None], (None, spec), spec)(Model(1.0, 0.0, lambda y: y), x)
    np.testing.assert_array_equal(found, x.reshape(4, 2).sum(1))

    class Table(eqx.Module):
        values: typing.Any

        def __call__(self, y, *, extra):
            assert (self.values.shape, extra.shape, y.shape) == ((8,), (8,), (2,))
            return self.values[y] + extra[y]

    mapped = eqx.filter_jit(shard_map(Table(jnp.arange(8.0)), spec, spec))
    np.testing.assert_array_equal(mapped(np.arange(8), extra=x), 2 * x)


@check
def arguments_passed_by_keyword_are_split_too():
    def function(y, z):
        assert (y.shape, z.shape) == ((2,), (8,))
        return y

    np.testing.assert_array_equal(shard_map(function, (spec, P()), spec)(z=x, y=x), x)


@check
def a_mesh_may_come_from_the_context():
    with jax.set_mesh(mesh()):
        found = eqx.filter_shard_map(lambda y: y.sum()[None], in_specs=spec, out_specs=spec)(x)
    assert found.shape == (4,)


@check
def further_options_are_handed_to_jax():
    same_everywhere = shard_map(lambda y: y, spec, P())
    with pytest.raises(ValueError, match="replicat"):
        same_everywhere(x)
    assert shard_map(lambda y: y, spec, P(), check_vma=False)(x).shape == (2,)
    assert shard_map(lambda y: y, spec, spec, axis_names={"devices"})(x).shape == (8,)


@check
def an_array_that_cannot_be_split_is_jax_s_error():
    with pytest.raises(ValueError, match="divi"):
        shard_map(lambda y: y, spec, spec)(np.arange(3.0))


@pytest.mark.parametrize("found", [3, "devices", [0, 1]])
def test_what_is_no_mesh_is_rejected_when_wrapping(found):
    with pytest.raises(TypeError, match="argument `mesh` of `filter_shard_map`: found"):
        eqx.filter_shard_map(lambda y: y, mesh=found, in_specs=P(), out_specs=P())


@pytest.mark.parametrize("name", check.names)
def test_on_four_devices(name):
    check.assert_passed(name)


if __name__ == "__main__":
    check.main()
