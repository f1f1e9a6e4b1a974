"""What layers start from, and what helps to train them: initialisers, weights of low rank, averages, precision."""

from collections.abc import Callable
from typing import assert_type

import jax
from jax import Array
from jax.typing import DTypeLike

import equinox as eqx


def half(key: Array, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    return jax.numpy.full(shape, 0.5, dtype)


def initialisers(key: Array) -> None:
    he_normal = eqx.nn.out_first(jax.nn.initializers.he_normal())
    assert_type(he_normal(key, (3, 2), jax.numpy.float32), Array)
    assert_type(eqx.nn.Linear(2, 3, key=key, weight_init=he_normal, bias_init=half), eqx.nn.Linear)
    zeros = jax.nn.initializers.zeros
    assert_type(eqx.nn.Conv2d(2, 3, 3, key=key, weight_init=he_normal, bias_init=zeros), eqx.nn.Conv2d)
    assert_type(eqx.nn.LSTMCell(2, 3, key=key, weight_init=jax.nn.initializers.orthogonal()), eqx.nn.LSTMCell)
    assert_type(eqx.nn.Embedding(2, 3, key=key, weight_init=zeros), eqx.nn.Embedding)
    assert_type(eqx.nn.MLP(2, 3, 8, 1, key=key, weight_init=he_normal), eqx.nn.MLP)


def low_rank(lora: eqx.nn.LoRA[eqx.nn.Linear], mlp: eqx.nn.MLP, x: Array, key: Array) -> None:
    linear = eqx.nn.Linear(2, 3, key=key)
    assert_type(eqx.nn.LoRA(linear, 2, key=key), eqx.nn.LoRA[eqx.nn.Linear])
    assert_type(eqx.nn.LoRA(linear, 2, 4.0, key=key, weight_name="weight")(x, key=key), Array)
    assert_type(lora.layer.weight, Array)  # gap: zuban(generic-final)
    assert_type(lora.a, Array)
    assert_type(lora.alpha, float)
    assert_type(eqx.nn.merge_lora(lora), eqx.nn.Linear)
    tuned = eqx.nn.add_lora(mlp, 2, key=key, where=lambda mlp: mlp.layers[0])
    assert_type(tuned, eqx.nn.MLP)
    assert_type(eqx.nn.add_lora(mlp, 2, key=key, where=eqx.nn.Linear), eqx.nn.MLP)  # gap: zuban(class-or-function)
    assert_type(eqx.nn.lora_filter(tuned), eqx.nn.MLP)
    assert_type(eqx.nn.merge_lora(tuned), eqx.nn.MLP)


def dropping(x: Array, key: Array) -> None:
    assert_type(eqx.nn.DropPath(0.1)(x, key=key, inference=False), Array)
    assert_type(eqx.nn.DropPath(x, deterministic=True).p, float | Array)
    assert_type(eqx.nn.DropPath().deterministic, bool)
    assert_type(eqx.nn.Dropout(0.1, broadcast_axes=[1, 2])(x, key=key), Array)
    assert_type(eqx.nn.Dropout(0.1).broadcast_axes, tuple[int, ...])


def of_each_channel(x: Array, state: eqx.nn.State) -> None:
    assert_type(eqx.nn.InstanceNorm(3, channelwise_affine=True)(x), Array)
    assert_type(eqx.nn.InstanceNorm(3)(x, state), tuple[Array, eqx.nn.State])
    assert_type(eqx.nn.InstanceNorm(3).weight, Array | None)


def averages(mlp: eqx.nn.MLP) -> None:
    average = eqx.nn.ExponentialMovingAverage(0.99, warmup=True).init(mlp)
    assert_type(average, eqx.nn.ExponentialMovingAverage[eqx.nn.MLP])
    assert_type(average.update(mlp), eqx.nn.ExponentialMovingAverage[eqx.nn.MLP])
    assert_type(average.value(), eqx.nn.MLP)
    assert_type(average.decay, float)
    assert_type(average.debias, bool)


class Net(eqx.Module):
    def __call__(self, x: Array, state: eqx.nn.State, *, scale: float = 1.0) -> tuple[Array, eqx.nn.State]:
        return x * scale, state


def half_precision(net: Net, linear: eqx.nn.Linear, pair: tuple[Array, int], x: Array, state: eqx.nn.State) -> None:
    policy = eqx.nn.Policy("float32", jax.numpy.float16, output="float32")
    assert_type(policy, eqx.nn.Policy)
    assert_type(policy.compute, str)
    assert_type(policy.cast_to_param(linear), eqx.nn.Linear)
    assert_type(policy.cast_to_compute(pair), tuple[Array, int])
    assert_type(policy.cast_to_output(x), Array)
    mixed = eqx.nn.mixed_precision(net, policy)
    assert_type(mixed(x, state, scale=2.0), tuple[Array, eqx.nn.State])
    assert_type(mixed.policy, eqx.nn.Policy)
    plain: eqx.nn.MixedPrecision[[Array], Array] = eqx.nn.mixed_precision(jax.numpy.tanh, policy)
    layer: Callable[[Array], Array] = plain.layer
    assert_type(layer(x), Array)


def scaled_losses(
    loss_scale: eqx.nn.DynamicLossScale, linear: eqx.nn.Linear, after: tuple[eqx.nn.Linear, int], x: Array
) -> None:
    assert_type(eqx.nn.DynamicLossScale(2.0, period=10), eqx.nn.DynamicLossScale)
    assert_type(loss_scale.scale, Array)
    assert_type(loss_scale.scaled(x), Array)
    assert_type(loss_scale.unscaled(linear), tuple[eqx.nn.Linear, Array])
    assert_type(loss_scale.update(x, after, after), tuple[tuple[eqx.nn.Linear, int], eqx.nn.DynamicLossScale])
