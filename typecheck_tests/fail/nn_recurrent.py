"""Mistakes with sequences and stacked layers: in making them, in calling them, in changing them."""

from jax import Array

import equinox as eqx


def making(key: Array) -> None:
    eqx.nn.RNN("cell")  # error: mypy[call-overload] pyright[reportArgumentType]
    eqx.nn.RNN(eqx.nn.GRUCell(3, 4, key=key), True)  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.nn.GRU(3, 4)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.LSTM(3, 4, layers=2, key=key)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.nn.StackedLayers(lambda key: key, "two", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]


def calling(xs: Array, gru: eqx.nn.GRU, lstm: eqx.nn.LSTM, stack: eqx.nn.StackedLayers[eqx.nn.Linear]) -> None:
    gru("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    gru(xs, (xs, xs))  # error: mypy[arg-type] pyright[reportArgumentType]
    lstm(xs, lengths=xs)  # error: mypy[call-arg] pyright[reportCallIssue]
    stack(xs, 3)  # error: mypy[call-overload] pyright[reportArgumentType]
    stack["first"]  # error: mypy[call-overload] pyright[reportCallIssue, reportArgumentType]


def changing(xs: Array, gru: eqx.nn.GRU, stack: eqx.nn.StackedLayers[eqx.nn.Linear], cell: eqx.nn.GRUCell) -> None:
    eqx.nn.RNN(cell).reverse = True  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    gru.hidden_size = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    gru.dropout.p = 0.5  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    stack.n = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    stack.layers.weight = xs  # error: mypy[misc] pyright[reportAttributeAccessIssue]  # gap: zuban(generic-final)
