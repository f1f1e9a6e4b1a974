"""Calculations in half precision, with parameters in single precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
HALF = eqx.nn.Policy("float32", "bfloat16", "float32")


def dtypes(tree) -> set[str]:
    return {str(leaf.dtype) for leaf in jax.tree.leaves(tree) if eqx.is_inexact_array(leaf)}


def probe(seen: list[Any]) -> Any:
    """A layer that notes the dtype of what passes through."""

    def look(x):
        seen.append(str(x.dtype))
        return x

    return eqx.nn.Lambda(look)


def test_a_policy_holds_the_names_of_three_dtypes():
    policy = eqx.nn.Policy(jnp.float64, np.float16, output=jnp.dtype("bfloat16"))
    assert (policy.param, policy.compute, policy.output) == ("float64", "float16", "bfloat16")
    assert jax.tree.leaves(policy) == []
    assert hash(policy) == hash(eqx.nn.Policy("float64", "float16", "bfloat16"))
    assert eqx.nn.Policy() == HALF


@pytest.mark.parametrize("name", ["param", "compute", "output"])
@pytest.mark.parametrize("dtype", ["int32", "complex64", bool])
def test_a_dtype_that_is_no_real_floating_point_one_is_an_error(name, dtype):
    with pytest.raises(ValueError, match=f"`{name}`.*{jnp.dtype(dtype)}"):
        eqx.nn.Policy(**{name: dtype})


def test_only_real_floating_point_arrays_are_converted():
    tree = {
        "real": jnp.ones(2),
        "numpy": np.ones(2),
        "complex": jnp.ones(2, "complex64"),
        "integer": jnp.arange(2),
        "key": key,
        "number": 0.5,
        "function": jnp.tanh,
        "none": None,
    }
    policy = eqx.nn.Policy("bfloat16", "bfloat16", "bfloat16")
    for cast in policy.cast_to_param, policy.cast_to_compute, policy.cast_to_output:
        out = cast(tree)
        assert out["real"].dtype == out["numpy"].dtype == jnp.bfloat16
        assert isinstance(out["numpy"], np.ndarray)
        for name in ["complex", "integer", "key", "number", "function", "none"]:
            assert out[name] is tree[name]
    policy = eqx.nn.Policy("float64", "bfloat16", "float16")
    assert policy.cast_to_compute(tree)["real"].dtype == jnp.bfloat16
    assert policy.cast_to_output(tree)["real"].dtype == np.float16
    with jax.enable_x64(True):
        assert policy.cast_to_param(tree)["real"].dtype == np.float64


def test_parameters_are_stored_in_one_dtype_calculated_with_in_another_and_results_are_of_a_third():
    seen: list[Any] = []
    layers: Any = [eqx.nn.Linear(3, 3, dtype="bfloat16", key=key), probe(seen), eqx.nn.Linear(3, 2, key=key)]
    mixed = eqx.nn.mixed_precision(eqx.nn.Sequential(layers), eqx.nn.Policy("float32", "bfloat16", "float16"))
    assert dtypes(mixed) == {"float32"}
    with jax.numpy_dtype_promotion("strict"):
        gradient, out = eqx.filter_jit(eqx.filter_grad(lambda m, x: (jnp.sum(y := m(x)), y), has_aux=True))(
            mixed, np.ones(3)
        )
    assert seen == ["bfloat16"]
    assert out.dtype == np.float16
    assert dtypes(gradient) == {"float32"}


def test_it_computes_what_the_converted_layer_does():
    mlp = eqx.nn.MLP(3, 2, 4, 1, key=key)
    x = jnp.array([0.1, -0.2, 0.3])
    narrow = jax.tree.map(lambda leaf: leaf.astype("bfloat16") if eqx.is_array(leaf) else leaf, mlp)
    expected = narrow(x.astype("bfloat16")).astype("float32")
    assert jnp.array_equal(eqx.nn.mixed_precision(mlp, HALF)(x), expected)
    assert not jnp.array_equal(mlp(x), expected)


class Block(eqx.Module):
    """Attention and all norms, one after the other."""

    attention: eqx.nn.MultiheadAttention
    norms: list[Any]
    seen: list[str] = eqx.field(static=True)

    def __call__(self, x, *, scale):
        x = self.attention(x, x, x) * scale
        self.seen.append(str(x.dtype))
        for norm in self.norms:
            x = norm(x)
            self.seen.append(str(x.dtype))
        return {"out": x, "tokens": jnp.arange(3)}


def test_layers_that_normalise_keep_their_parameters_and_pass_half_precision_on():
    norms = [
        eqx.nn.LayerNorm((3, 4)),
        eqx.nn.RMSNorm((3, 4)),
        eqx.nn.GroupNorm(1, 3),
        eqx.nn.InstanceNorm(3, channelwise_affine=True),
    ]
    block = Block(eqx.nn.MultiheadAttention(2, 4, key=key), norms, [])
    inside = HALF.cast_to_compute(block)
    assert dtypes(inside.norms) == {"float32"}
    assert dtypes(inside.attention) == {"bfloat16"}
    with jax.numpy_dtype_promotion("strict"):
        out = eqx.filter_jit(eqx.nn.mixed_precision(block, HALF))(jnp.ones((3, 4)), scale=np.float32(2))
    assert block.seen == ["bfloat16"] * 5
    assert out["out"].dtype == np.float32
    assert out["tokens"].dtype == np.int32


def test_a_batch_norm_has_statistics_in_single_precision_and_passes_half_precision_on():
    class Net(eqx.Module):
        conv: eqx.nn.Conv1d
        norm: eqx.nn.BatchNorm

        def __call__(self, x, state):
            x, state = self.norm(self.conv(x), state)
            assert isinstance(self.norm, eqx.nn.BatchNorm)
            assert x.dtype == jnp.bfloat16
            return x, state

    def make(key):
        return Net(eqx.nn.Conv1d(1, 2, 3, key=key), eqx.nn.BatchNorm(2, "batch", mode="batch"))

    net, state = eqx.nn.make_with_state(make)(key)
    mixed = eqx.nn.mixed_precision(net, HALF)
    x = jax.random.normal(key, (4, 1, 6))

    def call(model):
        return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))

    with jax.numpy_dtype_promotion("strict"):
        out, new_state = eqx.filter_jit(lambda mixed, x, state: call(mixed)(x, state))(mixed, x, state)
    assert out.dtype == np.float32
    assert [leaf.dtype for leaf in jax.tree.leaves(new_state)] == [np.int32, np.float32, np.float32]
    conv = jax.vmap(HALF.cast_to_compute(net.conv))(x.astype("bfloat16"))
    mean, _ = new_state.get(mixed.layer.norm.batch_state_index)
    np.testing.assert_allclose(mean, 0.01 * conv.astype("float32").mean((0, 2)), rtol=0.03, atol=1e-4)


@pytest.mark.parametrize("function", [jax.nn.softmax, jax.nn.log_softmax])
def test_softmax_is_calculated_in_single_precision(function):
    x = jax.random.normal(key, (100,)).astype("bfloat16")
    expected = function(x.astype("float32")).astype("bfloat16")
    assert not jnp.array_equal(function(x), expected)
    layer = HALF.cast_to_compute(eqx.nn.Lambda(function))
    assert jnp.array_equal(layer(x), expected)
    assert eqx.nn.mixed_precision(eqx.nn.Lambda(function), HALF).layer.fn is function  # what is stored is the same
    assert HALF.cast_to_compute(eqx.nn.Lambda(jnp.tanh)).fn is jnp.tanh


def test_a_key_reaches_the_layer():
    mixed = eqx.nn.mixed_precision(eqx.nn.Dropout(0.5), HALF)
    x = jnp.ones(20)
    assert jnp.array_equal(mixed(x, key=key), eqx.nn.Dropout(0.5)(x, key=key))


def test_it_does_not_compile_again_for_the_next_call():
    mixed = eqx.nn.mixed_precision(eqx.nn.MLP(3, 2, 4, 1, final_activation=jax.nn.softmax, key=key), HALF)
    traces: list[int] = []

    @eqx.filter_jit
    def call(mixed, x):
        traces.append(1)
        return mixed(x)

    for i in range(3):
        call(jax.tree.map(lambda leaf, i=i: leaf * i if eqx.is_array(leaf) else leaf, mixed), jnp.ones(3))
    assert len(traces) == 1
