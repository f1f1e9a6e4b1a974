"""Loops return what they carry; a buffer counts as an array."""

from typing import assert_type

from jax import Array

import equinox as eqx
import equinox.internal as eqxi
from equinox.internal import MaybeBuffer


class State(eqx.Module):
    value: Array
    history: MaybeBuffer[Array]


def is_running(state: State) -> Array:
    return state.value > 0


def advance(state: State) -> State:
    assert_type(state.history, Array)
    assert_type(state.history[0], Array)
    history = state.history.at[0].set(state.value)
    assert_type(eqxi.buffer_at_set(state.history, 1, state.value, pred=True), Array)
    return State(state.value - 1, history)


def history(state: State) -> Array:
    return state.history


def loops(state: State) -> None:
    assert_type(eqxi.while_loop(is_running, advance, state, kind="lax"), State)
    assert_type(
        eqxi.while_loop(is_running, advance, state, kind="checkpointed", max_steps=3, buffers=lambda s: s.history),
        State,
    )
    assert_type(eqx.internal.while_loop(is_running, advance, state, kind="bounded", max_steps=3, base=2), State)


def step(state: State, x: dict[str, Array]) -> tuple[State, list[Array]]:
    return state, [x["a"]]


def scans(state: State, x: Array) -> None:
    assert_type(eqxi.scan(step, state, {"a": x}, kind="lax"), tuple[State, list[Array]])
    assert_type(
        eqxi.scan(step, state, {"a": x}, 3, kind="checkpointed", checkpoints="all", buffers=history),
        tuple[State, list[Array]],
    )
