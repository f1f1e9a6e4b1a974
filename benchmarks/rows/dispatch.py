"""Calling a function that is compiled already: what stands between the call and JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax.numpy as jnp

import equinox as eqx

from ..models import MLP, as_dictionaries, as_list, example_input, from_list, jit
from ..row import Row
from ..timing import Calls, Pair

FLOOR = "jax.jit over a flat list"

_Transformation: TypeAlias = Callable[[Callable[..., Any]], Any]


def _no_op(model: Any, x: Any) -> Any:
    return x


def _return_model(model: Any, x: Any) -> Any:
    return model


def no_op(transformation: _Transformation, model: MLP) -> tuple[Calls, Calls]:
    """Subject and floor: a compiled function that is given a model and does nothing with it."""
    arrays, x = as_list(model), example_input()
    subject, floor = transformation(_no_op), jit(_no_op)
    return Calls(lambda: subject(model, x)), Calls(lambda: floor(arrays, x))


def _over_dictionaries() -> Pair:
    model, x = MLP(), example_input()
    parameters = as_dictionaries(model)
    subject, floor = eqx.filter_jit(_no_op), jit(_no_op)
    return Pair(Calls(lambda: subject(model, x)), Calls(lambda: floor(parameters, x)))


def _by_keyword() -> Pair:
    model, x = MLP(), example_input()
    arrays = as_list(model)
    subject, floor = eqx.filter_jit(_no_op), jit(_no_op)
    return Pair(Calls(lambda: subject(model=model, x=x)), Calls(lambda: floor(model=arrays, x=x)))


def _in_turn() -> Pair:
    """Two models that differ in what is static, as one does that is trained and evaluated step by step."""
    models, x = (MLP(), MLP(activation=jnp.tanh)), example_input()
    arrays = as_list(models[0])
    subject, floor = eqx.filter_jit(_no_op), jit(_no_op)
    return Pair(
        Calls(lambda: [subject(model, x) for model in models]), Calls(lambda: [floor(arrays, x) for _ in models])
    )


def _model_out(transformation: _Transformation) -> Pair:
    model, x = MLP(), example_input()
    arrays = as_list(model)
    subject, floor = transformation(_return_model), jit(_return_model)
    return Pair(Calls(lambda: subject(model, x)), Calls(lambda: floor(arrays, x), view=from_list))


def _jitf(filter_fn: Callable[[Any], bool]) -> _Transformation:
    return partial(eqx.jitf, filter_fn=filter_fn)


def _jitf_no_op(filter_fn: Callable[[Any], bool]) -> Pair:
    return Pair(*no_op(_jitf(filter_fn), MLP()))


ROWS = (
    Row("dispatch: filter_jit", FLOOR, 1.5, lambda: Pair(*no_op(eqx.filter_jit, MLP()))),
    Row("dispatch: filter_jit, by keyword", FLOOR, None, _by_keyword),
    Row("dispatch: filter_jit, two models in turn", FLOOR, 1.5, _in_turn),
    Row("dispatch: filter_jit, model out", FLOOR, 1.5, lambda: _model_out(eqx.filter_jit)),
    Row("dispatch: jitf, is_array", FLOOR, 1.5, partial(_jitf_no_op, eqx.is_array), ("jitf",)),
    Row("dispatch: jitf, is_inexact_array", FLOOR, 1.5, partial(_jitf_no_op, eqx.is_inexact_array), ("jitf",)),
    Row("dispatch: jitf, model out", FLOOR, 1.5, lambda: _model_out(_jitf(eqx.is_array)), ("jitf",)),
    Row("dispatch: filter_jit, against dictionaries", "jax.jit over dictionaries", None, _over_dictionaries),
)
