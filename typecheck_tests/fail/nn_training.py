"""Mistakes with what layers start from, and with what helps to train them."""

import jax
from jax import Array

import equinox as eqx


def initialisers(key: Array) -> None:
    he_normal = jax.nn.initializers.he_normal
    eqx.nn.Linear(2, 3, key=key, weight_init=he_normal)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Linear(2, 3, key=key, bias_init=0)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.out_first("he_normal")  # error: mypy[arg-type] pyright[reportArgumentType]


def low_rank(lora: eqx.nn.LoRA[eqx.nn.Linear], mlp: eqx.nn.MLP, x: Array, key: Array) -> None:
    eqx.nn.LoRA(mlp.layers[0], 2)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.LoRA(mlp.layers[0], "2", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.LoRA(x, 2, key=key)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.nn.add_lora(mlp, 2, key=key, where="layers")  # error: mypy[arg-type] pyright[reportArgumentType]
    lora.a = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    lora.rank = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]


def dropping_and_normalising(drop_path: eqx.nn.DropPath, dropout: eqx.nn.Dropout) -> None:
    eqx.nn.DropPath("0.1")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Dropout(0.1, broadcast_axes=1)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.InstanceNorm()  # error: mypy[call-arg] pyright[reportCallIssue]
    drop_path.inference = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    dropout.broadcast_axes = (1,)  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.InstanceNorm(3).eps = 0.1  # error: mypy[misc] pyright[reportAttributeAccessIssue]


def averages(average: eqx.nn.ExponentialMovingAverage[eqx.nn.MLP], mlp: eqx.nn.MLP) -> None:
    eqx.nn.ExponentialMovingAverage(0.9).update(mlp)  # error: mypy[arg-type] pyright[reportArgumentType]
    average.update(mlp.layers[0])  # error: mypy[arg-type] pyright[reportArgumentType]
    average.decay = 0.5  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.ExponentialMovingAverage()  # error: mypy[call-arg] pyright[reportCallIssue]


def half_precision(linear: eqx.nn.Linear, x: Array, loss_scale: eqx.nn.DynamicLossScale) -> None:
    policy = eqx.nn.Policy(32)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.mixed_precision(x, policy)  # error: mypy[arg-type] pyright[reportArgumentType]
    mixed = eqx.nn.mixed_precision(linear, policy)
    mixed("x")  # error: mypy[arg-type] pyright[reportArgumentType]
    mixed(x, x)  # error: mypy[call-arg] pyright[reportCallIssue]
    policy.compute = "float16"  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    mixed.policy = policy  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    loss_scale.update(x, linear)  # error: mypy[call-arg] pyright[reportCallIssue]
    loss_scale.scale = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
