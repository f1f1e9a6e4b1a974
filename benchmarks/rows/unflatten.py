"""Putting a model together from its leaves."""

from functools import partial
from typing import Any

import jax

from ..models import MLP, as_dictionaries
from ..row import Row
from ..timing import Calls, Pair


def _unflatten(tree: Any) -> Calls:
    flat: tuple[list[Any], Any] = jax.tree.flatten(tree)  # pyright: ignore[reportUnknownVariableType] # JAX does not say
    leaves, treedef = flat
    return Calls(partial(treedef.unflatten, leaves))


def _prepare() -> Pair:
    model = MLP()
    return Pair(_unflatten(model), _unflatten(as_dictionaries(model)))


ROWS = (Row("unflatten a model", "nested dictionaries", 3.0, _prepare),)
