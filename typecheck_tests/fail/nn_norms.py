"""Mistakes with layers that normalise, with states, and with what is shared."""

from jax import Array

import equinox as eqx


def weight_of(linear: eqx.nn.Linear) -> Array:
    return linear.weight


def making(linear: eqx.nn.Linear, key: Array) -> None:
    eqx.nn.LayerNorm()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.LayerNorm("3")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.RMSNorm(3, elementwise_affine=False)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.GroupNorm(2.0, 4)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.BatchNorm(3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.BatchNorm(3, "batch", mode="emma")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.SpectralNorm(linear, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.SpectralNorm(linear, "weight")  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.WeightNorm(linear, 0)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Shared(linear, weight_of)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Shared(key, weight_of, weight_of)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.make_with_state(eqx.nn.GroupNorm)("two")  # error: mypy[arg-type] pyright[reportArgumentType]


def calling(norm: eqx.nn.BatchNorm, x: Array, state: eqx.nn.State, index: eqx.nn.StateIndex[Array]) -> None:
    norm(x)  # error: mypy[call-arg] pyright[reportCallIssue]
    norm(x, None)  # error: mypy[arg-type] pyright[reportArgumentType]
    _y: Array = norm(x, state)  # error: mypy[assignment] pyright[reportAssignmentType]
    state.get("index")  # error: mypy[arg-type] pyright[reportArgumentType]
    state.update(None)  # error: mypy[arg-type] pyright[reportArgumentType]
    _text: str = state.get(index)  # error: mypy[assignment] pyright[reportAssignmentType]


def changing(x: Array, batch: eqx.nn.BatchNorm, layer: eqx.nn.LayerNorm, index: eqx.nn.StateIndex[Array]) -> None:
    batch.inference = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    batch.deterministic = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    layer.weight = None  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.RMSNorm(3).eps = 0.1  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.GroupNorm(1, 3).bias = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    index.marker = "name"  # error: mypy[misc] pyright[reportAttributeAccessIssue]
