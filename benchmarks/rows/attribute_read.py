"""Reading an attribute of a Module, as it was constructed and as it comes out of a PyTree operation."""

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx

from ..models import same
from ..row import Row
from ..timing import Expression, Pair


class _Generated(eqx.Module):
    weight: Array
    bias: Array
    size: int = eqx.field(static=True)


class _Own(eqx.Module):
    weight: Array
    bias: Array
    size: int = eqx.field(static=True)

    def __init__(self, weight: Array, bias: Array, size: int) -> None:
        self.weight = weight
        self.bias = bias
        self.size = size


class _Plain:
    def __init__(self, weight: Array, bias: Array, size: int) -> None:
        self.weight = weight
        self.bias = bias
        self.size = size


def _read(cls: type, *, is_unflattened: bool = False) -> Expression:
    instance = cls(jnp.ones((3, 3)), jnp.ones(3), 3)
    if is_unflattened:
        instance = jax.tree.map(same, instance)
    return Expression("instance.weight", {"instance": instance})


_FLOOR = "plain object"

# The last row has no target. JAX puts instances together from Python, where a Module must be another object until its
# attributes are stored. When it becomes a Module, CPython takes them out of the place where reading is quickest. Giving
# it a dictionary of its own makes reading three times quicker, but unflattening a third slower: the worse bargain.

ROWS = (
    Row("read an attribute", _FLOOR, 1.2, lambda: Pair(_read(_Generated), _read(_Plain))),
    Row("read an attribute, own __init__", _FLOOR, 1.2, lambda: Pair(_read(_Own), _read(_Plain))),
    Row("read an attribute, unflattened", _FLOOR, None, lambda: Pair(_read(_Own, is_unflattened=True), _read(_Plain))),
)
