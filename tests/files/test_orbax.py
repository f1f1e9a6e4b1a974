"""Models go through Orbax, which knows arrays only: their arrays are saved, and put back into what is restored."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest
from jax.sharding import SingleDeviceSharding

import equinox as eqx
from tests.files.stored import assert_same


class Model(eqx.Module):
    mlp: eqx.nn.MLP
    half: jax.Array
    counts: np.ndarray
    rate: float
    activation: object
    name: str = eqx.field(static=True)


def make(seed: int, name: str = "model") -> Model:
    mlp = eqx.nn.MLP(2, 1, 4, depth=1, key=jax.random.key(seed))
    return Model(mlp, jnp.full(3, seed, jnp.bfloat16), np.arange(3) + seed, float(seed), jnp.tanh, name)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("orbax") / "checkpoint"
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, eqx.filter(make(1), eqx.is_array))
    return path


def restore(path, target):
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(path, target)


def test_the_arrays_of_a_model_are_restored_into_another_one(checkpoint):
    arrays, rest = eqx.partition(make(2), eqx.is_array)
    restored = eqx.combine(restore(checkpoint, arrays), rest)
    expected = make(1)
    assert_same(restored.mlp, expected.mlp)
    assert_same(restored.half, expected.half)
    np.testing.assert_array_equal(restored.counts, expected.counts)
    # Not an array, so it stays what it was.
    assert restored.rate == 2.0
    assert restored.activation is jnp.tanh


def test_arrays_are_restored_to_the_shardings_that_are_asked_for(checkpoint):
    sharding = SingleDeviceSharding(jax.devices("cpu")[0])
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), eqx.filter(make(2), eqx.is_array)
    )
    restored = restore(checkpoint, target)
    assert isinstance(restored, Model)
    for leaf in jax.tree.leaves(restored):
        assert leaf.sharding == sharding
    assert_same(restored.mlp.layers[0].weight, make(1).mlp.layers[0].weight)


def test_the_optimizers_state_can_be_saved_with_the_model(tmp_path):
    model = eqx.filter(make(1).mlp, eqx.is_array)
    state = optax.adam(1e-3).init(model)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "both", (model, state))
    assert_same(restore(tmp_path / "both", (model, state)), (model, state))
