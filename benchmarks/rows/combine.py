"""Joining the two halves of a model."""

import equinox as eqx

from ..models import MLP, as_dictionaries
from ..row import Row
from ..timing import Calls, Pair
from .partition import FLOOR, copy_of


def _prepare() -> Pair:
    model = MLP()
    parameters = as_dictionaries(model)
    arrays, rest = eqx.partition(model, eqx.is_array)
    return Pair(Calls(lambda: eqx.combine(arrays, rest)), Calls(lambda: copy_of(parameters)))


ROWS = (Row("combine the halves of a model", FLOOR, 1.5, _prepare),)
