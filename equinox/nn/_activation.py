"""How an `MLP` applies its activations: to a whole vector where that is possible, or else to each neuron by itself.

An activation may have parameters. Each neuron then has its own copy of them: every array in the activation gets leading
axes that count the neurons.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp
from jax import Array

from .._tree.partition import combine, partition
from .._tree.predicates import is_array

Activation: TypeAlias = Callable[[Array], Array]


def with_copies(activation: Activation, axes: tuple[int, ...]) -> Activation:
    """Return `activation` with each of its arrays copied along new leading axes of these lengths."""

    def copied(leaf: Any) -> Any:
        return jnp.broadcast_to(jnp.asarray(leaf), axes + leaf.shape) if is_array(leaf) else leaf

    return cast(Activation, jax.tree.map(copied, activation))


def is_copied(leaf: Any) -> bool:
    """Whether a leaf has an axis that counts neurons.

    An array without axes was a Python number when `with_copies` saw it: some filters turn those into arrays later on.
    """
    return is_array(leaf) and leaf.ndim > 0


def copy_at(activation: Activation, index: int | slice) -> Activation:
    """Return `activation` with the copies at `index` of the first leading axis."""

    def selected(leaf: Any) -> Any:
        return leaf[index] if is_copied(leaf) else leaf

    return cast(Activation, jax.tree.map(selected, activation))


def activate(activation: Activation, x: Array) -> Array:
    """Apply an activation to the outputs of a layer: a vector, or an array without axes, which is one neuron."""
    if x.ndim == 0:
        return activation(x)
    copies, shared = partition(activation, is_copied)
    if jax.tree.leaves(copies):

        def activate_one(copy: Activation, neuron: Array) -> Array:
            return combine(copy, shared)(neuron)

        return jax.vmap(activate_one)(copies, x)
    if _accepts_vectors(activation, x):
        return activation(x)
    return jax.vmap(activation)(x)


def _accepts_vectors(activation: Activation, x: Array) -> bool:
    """Whether `activation` turns `x` into one array of the same shape; found out without computing anything."""
    try:
        out: Any = jax.eval_shape(activation, x)
    except Exception:  # noqa: BLE001 # whatever a function raises for a vector, it may still be meant for scalars
        return False
    return isinstance(out, jax.ShapeDtypeStruct) and out.shape == x.shape
