"""Layers that normalise, states, and what is shared: types of what they hold and return."""

from collections.abc import Callable
from typing import Literal, assert_type

import jax
from jax import Array

import equinox as eqx


def of_one_example(x: Array, key: Array, state: eqx.nn.State) -> None:
    assert_type(eqx.nn.LayerNorm(3)(x, key=key), Array)
    assert_type(eqx.nn.LayerNorm((2, 3), elementwise_affine=False)(x, state), tuple[Array, eqx.nn.State])
    assert_type(eqx.nn.LayerNorm(3, bias=False).bias, Array | None)
    assert_type(eqx.nn.LayerNorm(3).shape, tuple[int, ...])
    assert_type(eqx.nn.RMSNorm(3, use_bias=False)(x), Array)
    assert_type(eqx.nn.RMSNorm(3)(x, state=state), tuple[Array, eqx.nn.State])
    assert_type(eqx.nn.RMSNorm(3).weight, Array | None)
    assert_type(eqx.nn.GroupNorm(2, 4)(x), Array)
    assert_type(eqx.nn.GroupNorm(2, channelwise_affine=False)(x, None), tuple[Array, None])
    assert_type(eqx.nn.GroupNorm(2, 4).channels, int | None)


def of_a_batch(x: Array, state: eqx.nn.State) -> None:
    norm = eqx.nn.BatchNorm(3, axis_name="batch", mode="batch")
    assert_type(norm(x, state), tuple[Array, eqx.nn.State])
    assert_type(norm(x, state, inference=True), tuple[Array, eqx.nn.State])
    assert_type(norm.mode, Literal["ema", "batch"])
    assert_type(norm.deterministic, bool)
    assert_type(norm.batch_state_index, eqx.nn.StateIndex[tuple[Array, Array]] | None)
    model, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(3, ("outer", "inner"), mode="ema")
    assert_type(model, eqx.nn.BatchNorm)
    assert_type(state, eqx.nn.State)
    assert_type(eqx.nn.inference_mode(model), eqx.nn.BatchNorm)
    assert_type(eqx.nn.delete_init_state(model), eqx.nn.BatchNorm)


def of_weights(x: Array, key: Array, state: eqx.nn.State, weight: eqx.nn.WeightNorm[eqx.nn.Linear]) -> None:
    linear = eqx.nn.Linear(3, 3, key=key)
    assert_type(eqx.nn.WeightNorm(linear, axis=None), eqx.nn.WeightNorm[eqx.nn.Linear])
    assert_type(weight(x), Array)
    assert_type(weight.g, Array)
    assert_type(weight.layer.weight, Array)  # gap: zuban(generic-final)
    spectral = eqx.nn.SpectralNorm(linear, "weight", key=key)
    assert_type(spectral, eqx.nn.SpectralNorm[eqx.nn.Linear])
    assert_type(spectral(x, state, deterministic=True), tuple[Array, eqx.nn.State])
    assert_type(spectral.uv_index, eqx.nn.StateIndex[tuple[Array, Array]])


def states(state: eqx.nn.State, x: Array, count: int) -> None:
    index = eqx.nn.StateIndex(x)
    assert_type(index, eqx.nn.StateIndex[Array])
    assert_type(index.init, Array)  # gap: zuban(generic-final)
    assert_type(state.get(index), Array)
    assert_type(state.set(index, x), eqx.nn.State)
    assert_type(state.get(eqx.nn.StateIndex((x, count))), tuple[Array, int])
    assert_type(state.update(state.substate([index])), eqx.nn.State)


def made(size: int, *, depth: int = 3) -> eqx.nn.Linear:
    return eqx.nn.Linear(size, depth, key=jax.random.key(0))


def making() -> None:
    assert_type(eqx.nn.make_with_state(made)(3, depth=4), tuple[eqx.nn.Linear, eqx.nn.State])


def shared(linear: eqx.nn.Linear, embedding: eqx.nn.Embedding) -> None:
    tied = eqx.nn.Shared((embedding, linear), lambda pair: pair[1].weight, lambda pair: pair[0].weight)
    assert_type(tied, eqx.nn.Shared[tuple[eqx.nn.Embedding, eqx.nn.Linear]])
    assert_type(tied(), tuple[eqx.nn.Embedding, eqx.nn.Linear])


def callables(norm: eqx.nn.LayerNorm, shared: eqx.nn.Shared[eqx.nn.Linear]) -> None:
    _plain: Callable[[Array], Array] = norm
    _stateful: Callable[[Array, int], tuple[Array, int]] = norm
    _linear: Callable[[], eqx.nn.Linear] = shared
