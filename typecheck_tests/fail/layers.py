"""Mistakes with layers: in making them, in calling them, in changing them."""

import jax
from jax import Array

import equinox as eqx


def making(key: Array) -> None:
    eqx.nn.Linear(2, 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Linear(2, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Linear("two", 3, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Linear(2, 3, True, key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Linear(2, 3, bais=False, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.MLP(2, 3, 8, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.MLP(2, 3, 8, 2, activation="relu", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.GRUCell("scalar", 3, key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.LSTMCell(2, 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.Dropout("0.5")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.nn.Sequential(eqx.nn.Linear(2, 2, key=key), eqx.nn.Linear(2, 2, key=key))  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.nn.Sequential([1, 2])  # error: mypy[type-var] pyright[reportArgumentType, reportCallIssue]
    eqx.nn.Lambda(3)  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(generic-final)


def calling(x: Array, key: Array, mlp: eqx.nn.MLP) -> None:
    mlp("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    mlp(x, key)  # error: mypy[call-arg] pyright[reportCallIssue]
    mlp(x, 2 * x)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.LSTMCell(2, 3, key=key)(x)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.GRUCell(2, 3, key=key)(x, (x, x))  # error: mypy[arg-type] pyright[reportArgumentType]
    _hidden: Array = eqx.nn.LSTMCell(2, 3, key=key)(x, (x, x))  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.nn.Dropout(0.5)(x, key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.StatefulLayer()  # error: mypy[abstract] pyright[reportAbstractUsage]  # gap: zuban(abstract-method)
    mlp.layer  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    mlp.layers[0].wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _sum = mlp.layers[0].bias + x  # error: mypy[operator] pyright[reportOptionalOperand, reportUnknownVariableType]


def changing(x: Array, key: Array, mlp: eqx.nn.MLP) -> None:
    mlp.depth = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    mlp.layers[0].weight = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    mlp.activation = jax.nn.relu  # error: pyright[reportAttributeAccessIssue]  # gap: mypy(final-callable)
    eqx.nn.Linear(2, 3, key=key).bias = None  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.Dropout(0.5).p = 0.1  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.Dropout(0.5).inference = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.GRUCell(2, 3, key=key).weight_ih = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.LSTMCell(2, 3, key=key).bias = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.Lambda(jax.nn.relu).fn = jax.nn.gelu  # error: pyright[reportAttributeAccessIssue]  # gap: mypy(final-callable)
    eqx.nn.PReLU().negative_slope = x  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    eqx.nn.Sequential([eqx.nn.Linear(2, 3, key=key)]).layers = ()  # error: mypy[misc] pyright[reportAttributeAccessIssue]
