"""Exchanging one leaf of a model."""

import jax
from jax import Array

import equinox as eqx

from ..models import DEPTH, MLP, as_dictionaries
from ..row import Row
from ..timing import Calls, Pair
from .partition import FLOOR


def _prepare() -> Pair:
    model = MLP()
    parameters = as_dictionaries(model)
    middle = DEPTH // 2
    old = model.layers[middle].weight
    new = 2 * old

    def exchange(leaf: Array) -> Array:
        return new if leaf is old else leaf

    return Pair(
        Calls(lambda: eqx.tree_at(lambda model: model.layers[middle].weight, model, new)),
        Calls(lambda: jax.tree.map(exchange, parameters)),
    )


ROWS = (Row("tree_at: exchange one leaf", FLOOR, 6.0, _prepare, ("tree_at",)),)
