"""Weights divided by their largest singular value."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("spectral_norm")


def make(layer, **options):
    def norm():
        return eqx.nn.SpectralNorm(layer, "weight", key=key, **options)

    return eqx.nn.make_with_state(norm)()


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    with jax.enable_x64(case.endswith("float64")):
        torch = {name: jnp.asarray(array) for name, array in RECORDED[case].items()}
        is_conv = case.startswith("conv")
        layer: Any = eqx.nn.Conv2d(3, 4, 2, key=key) if is_conv else eqx.nn.Linear(3, 4, key=key)
        layer = eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, (torch["weight"], None))
        norm, state = make(layer, num_power_iterations=int(torch["iterations"]))
        state = state.set(norm.uv_index, (torch["u"], torch["v"]))
        y, state = norm(torch["x"], state)
        assert y.dtype == torch["y"].dtype
        u, v = state.get(norm.uv_index)
        y_eval, state = eqx.nn.inference_mode(norm)(torch["x"], state)
        for found, name in [(y, "y"), (u, "next_u"), (v, "next_v"), (y_eval, "y_eval")]:
            np.testing.assert_allclose(found, torch[name], **tolerance(torch[name]))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_the_vectors_start_from_the_key_and_are_improved_fifteen_times(dtype):
    linear = eqx.nn.Linear(3, 4, dtype=dtype, key=key)
    norm = eqx.nn.SpectralNorm(linear, "weight", key=key)
    _, v_key = jax.random.split(key)  # what `u` starts from, the first iteration overwrites
    matrix = np.asarray(linear.weight, "complex128")
    v = np.asarray(jax.random.normal(v_key, (3,), dtype), "complex128")
    for _ in range(15):
        u = matrix @ v
        u /= np.linalg.norm(u)
        v = matrix.conj().T @ u
        v /= np.linalg.norm(v)
    np.testing.assert_allclose(norm.uv_index.init[0], u, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.uv_index.init[1], v, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_in_the_end_the_largest_singular_value_is_one(dtype):
    linear = eqx.nn.Linear(3, 3, use_bias=False, dtype=dtype, key=key)
    norm, state = make(linear, num_power_iterations=50)
    columns, _ = jax.vmap(norm, in_axes=(0, None))(jnp.eye(3, dtype=dtype), state)
    assert abs(np.linalg.svd(columns, compute_uv=False)[0] - 1) < 1e-4


def test_training_improves_the_vectors_and_inference_leaves_the_state_alone():
    norm, state = make(eqx.nn.Linear(3, 4, key=key))
    started = state.get(norm.uv_index)
    x = jnp.ones(3)
    for options in [{"inference": True}, {"deterministic": True}]:
        assert norm(x, state, **options)[1] is state
    _, state = norm(x, state)
    trained = state.get(norm.uv_index)
    assert not jnp.array_equal(trained[0], started[0]) or not jnp.array_equal(trained[1], started[1])
    assert eqx.nn.inference_mode(norm)(x, state)[1] is state
    always, state = make(eqx.nn.Linear(3, 4, key=key), deterministic=True)
    assert always.inference is always.deterministic is True
    assert always(x, state)[1] is state
    assert always(x, state, inference=False)[1] is not state


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
def test_a_zero_weight_gives_zero_in_every_dtype(dtype):
    linear = eqx.nn.Linear(3, 2, use_bias=False, dtype=dtype, key=key)
    norm, state = make(eqx.tree_at(lambda layer: layer.weight, linear, jnp.zeros((2, 3), dtype)))
    with jax.numpy_dtype_promotion("strict"):
        y, _ = norm(jnp.ones(3, dtype), state)
    assert y.dtype == dtype
    assert jnp.array_equal(y, jnp.zeros(2, dtype))


def test_gradients_flow_through_the_weight_but_not_through_the_vectors():
    with jax.enable_x64(True):
        norm, state = make(eqx.nn.Linear(3, 2, use_bias=False, key=key))
        x = jnp.array([1.0, 2.0, -1.0])
        _, next_state = norm(x, jax.tree.map(jnp.copy, state))
        u, v = next_state.get(norm.uv_index)

        def with_given_vectors(weight):
            return jnp.sum((weight / (u @ weight @ v)) @ x)

        def loss(norm, state):
            return jnp.sum(norm(x, state)[0])

        gradient = eqx.filter_grad(loss)(norm, jax.tree.map(jnp.copy, state))
        np.testing.assert_allclose(gradient.layer.weight, jax.grad(with_given_vectors)(norm.layer.weight), rtol=1e-6)
        of_state = jax.grad(lambda state: loss(norm, state))(state)
        assert all(not jnp.any(leaf) for leaf in jax.tree.leaves(of_state))


def test_a_weight_that_is_no_matrix_is_an_error():
    linear: Any = eqx.nn.Linear(3, 4, key=key)
    with pytest.raises(ValueError, match=r"`bias` of `Linear`.*\(4,\)"):
        eqx.nn.SpectralNorm(linear, "bias", key=key)
    with pytest.raises(ValueError, match=r"`bias` of `Linear`.*None"):
        eqx.nn.SpectralNorm(eqx.nn.Linear(3, 4, use_bias=False, key=key), "bias", key=key)
    with pytest.raises(AttributeError, match="wieght"):
        eqx.nn.SpectralNorm(linear, "wieght", key=key)
    with pytest.raises(ValueError, match=r"`num_power_iterations`.*-1"):
        eqx.nn.SpectralNorm(linear, "weight", num_power_iterations=-1, key=key)


def test_steps_compile_once():
    norm, state = make(eqx.nn.Linear(3, 4, key=key))
    traces = 0

    @eqx.filter_jit
    def step(norm, state):
        nonlocal traces
        traces += 1
        return norm(jnp.ones(3), state)[1]

    for _ in range(3):
        state = step(norm, state)
    assert traces == 1
