"""`filter_pure_callback`: functions on the host, with any arguments and results."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

Struct = jax.ShapeDtypeStruct
x = jnp.arange(3.0)
struct = Struct((3,), jnp.float32)


class Scale(eqx.Module):
    weight: typing.Any
    name: str = "name"

    def __call__(self, x):
        return np.asarray(self.weight) * np.asarray(x)


def call(callback, *args, like: typing.Any = struct, **kwargs):
    return eqx.filter_pure_callback(callback, *args, result_shape_dtypes=like, **kwargs)


def each_way(function):
    """Call a function of an array eagerly and compiled."""
    return [function(x), eqx.filter_jit(function)(x)]


def test_the_host_gets_arrays_and_everything_else_as_it_is():
    thing = object()

    def callback(model, n, *, other):
        assert isinstance(model.weight, (jax.Array, np.ndarray))
        assert (model.name, type(n)) == ("name", int)
        assert other is thing
        return np.asarray(model.weight) * n

    for y in each_way(lambda y: call(callback, Scale(y), 3, other=thing)):
        np.testing.assert_array_equal(y, 3 * x)
        assert isinstance(y, jax.Array)


def test_results_may_hold_anything():
    like = {"y": struct, "text": "text", "n": 3, "nothing": None, "function": jnp.tanh}

    def callback(y):
        return {**like, "y": np.asarray(y) + 1}

    for y in each_way(lambda y: call(callback, y, like=like)):
        np.testing.assert_array_equal(y.pop("y"), x + 1)
        assert y == {"text": "text", "n": 3, "nothing": None, "function": jnp.tanh}


def test_results_may_be_models():
    for found in each_way(lambda y: call(lambda y: Scale(np.asarray(y)), y, like=Scale(struct))):
        assert type(found) is Scale
        np.testing.assert_array_equal(found.weight, x)


def test_whatever_has_a_shape_and_a_dtype_does_for_a_struct():
    class Like:
        shape = (3,)
        dtype = np.dtype(np.float32)

    for like in (x, np.zeros(3, np.float32), Like()):
        np.testing.assert_array_equal(call(np.asarray, x, like=like), x)


def test_the_arrays_of_the_callback_are_handed_over():
    for y in each_way(lambda y: call(Scale(y), x)):
        np.testing.assert_array_equal(y, x * x)


def test_the_structure_of_the_results_is_required():
    with pytest.raises(TypeError, match="result_shape_dtypes"):
        eqx.filter_pure_callback(lambda y: y, x)


@pytest.mark.parametrize(
    ("like", "output", "parts"),
    [
        ((struct, "text"), (np.zeros(3, np.float32), "other"), ["[1]", "'other'", "'text'"]),
        ((struct, 1.0), (np.zeros(3, np.float32), np.float32(1.0)), ["[1]", "1.0"]),
        ((struct, struct), (np.zeros(3, np.float32), 1.0), ["[1]", "1.0", "float32"]),
        ({"a": struct}, {"b": np.zeros(3, np.float32)}, ["'a'", "'b'"]),
        (struct, (np.zeros(3, np.float32),), ["structure"]),
        (struct, np.zeros(4, np.float32), ["(4,)", "(3,)"]),
    ],
)
def test_results_that_are_not_as_announced_are_errors(like, output, parts):
    def callback(_):
        return output

    for function in (lambda y: call(callback, y, like=like), eqx.filter_jit(lambda y: call(callback, y, like=like))):
        with pytest.raises(RuntimeError) as info:
            jax.block_until_ready(function(x))
        for part in parts:
            assert part in str(info.value)


def test_vmap_needs_a_method():
    def callback(y, text):
        assert text == "text"
        return np.asarray(y) * 2

    scalar = Struct((), jnp.float32)
    with pytest.raises(NotImplementedError):
        jax.vmap(lambda y: call(callback, y, "text", like=scalar))(x)
    for method in ("sequential", "expand_dims", "broadcast_all"):
        found = eqx.filter_vmap(lambda y: call(callback, y, "text", like=scalar, vmap_method=method))(x)  # noqa: B023
        np.testing.assert_array_equal(found, 2 * x)


def test_a_sharding_is_handed_to_jax():
    sharding = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
    found = jax.jit(lambda y: call(np.asarray, y, sharding=sharding))(x)
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("vectorized", [True, False])
def test_the_old_name_of_the_method_is_rejected_with_the_new_one(vectorized):
    with pytest.raises(TypeError, match=r"`vectorized`.*`vmap_method`"):
        call(lambda y: y, x, vectorized=vectorized)


def test_other_keywords_are_the_callback_s():
    for y in each_way(lambda y: call(lambda y, *, device: np.asarray(y) * device, y, device=2)):
        np.testing.assert_array_equal(y, 2 * x)
