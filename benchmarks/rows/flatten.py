"""Taking a model apart into its leaves."""

from typing import Any

import jax

from ..models import MLP, as_dictionaries
from ..row import Row
from ..timing import Calls, Pair


def _flatten(tree: Any) -> Calls:
    return Calls(lambda: jax.tree.flatten(tree), view=_put_together)  # pyright: ignore[reportUnknownLambdaType] # JAX does not say


def _put_together(flat: tuple[list[Any], Any]) -> Any:
    leaves, treedef = flat
    return treedef.unflatten(leaves)


def _prepare() -> Pair:
    model = MLP()
    return Pair(_flatten(model), _flatten(as_dictionaries(model)))


ROWS = (Row("flatten a model", "nested dictionaries", 1.7, _prepare),)
