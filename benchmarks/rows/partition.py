"""Splitting a model into its arrays and the rest."""

import jax

import equinox as eqx

from ..models import MLP, Parameters, as_dictionaries, same
from ..row import Row
from ..timing import Calls, Pair

FLOOR = "jax.tree.map over dictionaries"


def copy_of(parameters: Parameters) -> Parameters:
    """The least that one can do with a tree in JAX: make a new one of the same leaves."""
    copy: Parameters = jax.tree.map(same, parameters)
    return copy


def _prepare() -> Pair:
    model = MLP()
    parameters = as_dictionaries(model)
    return Pair(
        Calls(lambda: eqx.partition(model, eqx.is_array), view=lambda halves: halves[0]),
        Calls(lambda: copy_of(parameters)),
    )


ROWS = (Row("partition a model", FLOOR, 2.0, _prepare),)
