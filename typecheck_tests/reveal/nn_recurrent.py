"""Sequences, and stacked layers: what they are made from, what they hold, what they return."""

from typing import Any, Literal, assert_type

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


def rnn(gru_cell: eqx.nn.GRUCell, lstm_cell: eqx.nn.LSTMCell, xs: Array, key: Array, flag: bool) -> None:
    gru = eqx.nn.RNN(gru_cell)
    assert_type(gru, eqx.nn.RNN[eqx.nn.GRUCell, Literal[False]])
    assert_type(gru(xs), Array)
    assert_type(gru(xs, length=3, key=key), Array)
    assert_type(gru.cell, eqx.nn.GRUCell)  # gap: zuban(generic-final)
    assert_type(gru.cell.weight_ih, Array)  # gap: zuban(generic-final)
    assert_type(gru.reverse, bool)
    assert_type(gru.unroll, int | bool)
    lstm = eqx.nn.RNN(lstm_cell, reverse=True, return_carry=True)
    assert_type(lstm, eqx.nn.RNN[eqx.nn.LSTMCell, Literal[True]])
    assert_type(lstm(xs), tuple[Array, tuple[Array, Array]])
    assert_type(lstm(xs, (xs, xs), length=xs), tuple[Array, tuple[Array, Array]])
    assert_type(eqx.nn.RNN(gru_cell, return_carry=True)(xs), tuple[Array, Array])
    assert_type(eqx.nn.RNN(gru_cell, return_carry=flag), eqx.nn.RNN[eqx.nn.GRUCell, Any])


class Cell(eqx.Module):
    def __call__(self, input: Array, hidden: dict[str, Array], *, key: Array | None = None) -> dict[str, Array]:
        return {"sum": hidden["sum"] + input}


def own_cell(cell: Cell, xs: Array) -> None:
    assert_type(eqx.nn.RNN(cell, return_carry=True)(xs, {"sum": xs}), tuple[Array, dict[str, Array]])


def layers(gru: eqx.nn.GRU, lstm: eqx.nn.LSTM, xs: Array, key: Array) -> None:
    assert_type(eqx.nn.GRU(3, 4, num_layers=2, bidirectional=True, dropout=0.5, key=key), eqx.nn.GRU)
    assert_type(eqx.nn.LSTM(3, 4, 2, use_bias=False, inference=True, dtype=jnp.bfloat16, key=key), eqx.nn.LSTM)
    assert_type(gru(xs), tuple[Array, Array])
    assert_type(gru(xs, xs, length=3, key=key, inference=False), tuple[Array, Array])
    assert_type(lstm(xs), tuple[Array, tuple[Array, Array]])
    assert_type(lstm(xs, [xs, xs], deterministic=True), tuple[Array, tuple[Array, Array]])
    assert_type(gru.layers[0][0].cell, eqx.nn.GRUCell)  # gap: zuban(generic-final)
    assert_type(lstm.layers[0][1].cell, eqx.nn.LSTMCell)  # gap: zuban(generic-final)
    assert_type(lstm.dropout, eqx.nn.Dropout)
    assert_type(lstm.hidden_size, int)
    assert_type(lstm.bidirectional, bool)


def make(key: Array) -> eqx.nn.MLP:
    return eqx.nn.MLP(4, 4, 8, 1, key=key)


def step(layer: eqx.nn.MLP, x: Array, scale: Array) -> tuple[Array, dict[str, Array]]:
    x = scale * layer(x)
    return x, {"x": x}


def stack(x: Array, state: eqx.nn.State, key: Array) -> None:
    stack = eqx.nn.StackedLayers(make, 3, key=key)
    assert_type(stack, eqx.nn.StackedLayers[eqx.nn.MLP])
    assert_type(eqx.nn.Repeated(make, 3, remat=True, unroll=True, key=key), eqx.nn.StackedLayers[eqx.nn.MLP])
    assert_type(stack(x), Array)
    assert_type(stack(x, state, key=key), tuple[Array, eqx.nn.State])
    assert_type(stack((x, x)), tuple[Array, Array])
    assert_type(stack.layers, eqx.nn.MLP)  # gap: zuban(generic-final)
    assert_type(stack[0], eqx.nn.MLP)
    assert_type(stack[1:], eqx.nn.StackedLayers[eqx.nn.MLP])
    assert_type([layer.layers[0].weight for layer in stack], list[Array])
    assert_type(len(stack), int)
    assert_type(stack.n, int)
    assert_type(stack.scan(step, x, x), tuple[Array, dict[str, Array]])
    assert_type(jax.vmap(stack)(x), Array)  # gap: zuban(partial)
    assert_type(eqx.nn.make_with_state(eqx.nn.StackedLayers[eqx.nn.MLP])(make, 3, key=key)[1], eqx.nn.State)
