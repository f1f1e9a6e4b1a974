"""The state of an optimiser as it is held: arrays of fixed types, each of them its own.

Optax's states are almost that. But some hold weakly typed arrays or Python numbers, which become other types in the
first step; some hold functions or strings, which JAX does not take; and some hold an array that the model holds too.
`conceal` hides what is no array, and `reveal` gives the state as its transformation knows it.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

from ._jax_tree import tree_flatten
from ._transforms.conceal import conceal, reveal
from ._tree.describe import describe_node, describe_place
from ._tree.predicates import is_array, is_array_like
from ._tree.prefix import structural_difference

_PyTree: TypeAlias = Any

#: The number of elements up to which it is no loss to copy an array.
_SMALL: Final = 1024


def first_state(state: _PyTree, leaves_of_model: Sequence[Any]) -> _PyTree:
    """From the state that a transformation starts with, make the one that is held.

    **Arguments**

    - `state`: as it was returned.
    - `leaves_of_model`: everything in the model. Its arrays are not shared with the state.
    """
    # Arrays can be donated, each of them once and by its owner. What is small, such as a PRNG key or a learning rate,
    # may belong to the transformation.
    owned_elsewhere = {id(leaf) for leaf in leaves_of_model}

    def own_array(leaf: Any) -> Any:
        if not is_array_like(leaf):
            return leaf
        array = _strongly_typed(leaf)
        if id(array) in owned_elsewhere or array.size < _SMALL:
            array = array.copy()
        owned_elsewhere.add(id(array))
        return array

    return conceal(jax.tree.map(own_array, state), is_array)


def _strongly_typed(value: Any) -> Array:
    """Make an array that is not of a weak type, as one that is calculated from others will not be either."""
    if not isinstance(value, Array):
        return jnp.asarray(value, jnp.result_type(value))
    return jax.lax.convert_element_type(value, value.dtype) if getattr(value, "weak_type", False) else value


def next_state(held: _PyTree, state: _PyTree) -> _PyTree:
    """From the state that a transformation returns, make one of the same structure and types as that before.

    **Arguments**

    - `held`: the state before, as it is held.
    - `state`: the new one, as it was returned.

    **Raises**

    - `ValueError`: the structures differ. The message names the place.
    """
    old_state = reveal(held)
    old_leaves, old_structure = tree_flatten(old_state)
    leaves, structure = tree_flatten(state)
    if structure != old_structure:
        raise ValueError(_why_another_structure(old_state, state))
    leaves = [_like(old, new) for old, new in zip(old_leaves, leaves, strict=True)]
    return conceal(structure.unflatten(leaves), is_array)


def _why_another_structure(old_state: _PyTree, state: _PyTree) -> str:
    start = "The state that the transformation returns has another structure than the one it got"
    advice = "So it could neither be compiled once nor be used in a loop."
    difference = structural_difference(old_state, state)
    if difference is None:
        return f"{start}. {advice}"
    path, old, new = difference
    return f"{start}: at {describe_place(path)} it has {describe_node(new)}, and had {describe_node(old)}. {advice}"


def _like(old: Any, new: Any) -> Any:
    if not is_array_like(new):
        return new
    array = _strongly_typed(new)
    return array.astype(old.dtype) if is_array(old) and array.dtype != old.dtype else array
