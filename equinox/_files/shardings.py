"""Say where each leaf is to be put, so that it goes there straight from the file."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
from jax.sharding import Sharding

from .._errors import describe, locate
from .._tree.predicates import IsLeaf, is_none
from .leaf_specs import LeafSpec, leaf_specs
from .leaves import abstract, is_jax_leaf

_PyTree: TypeAlias = Any


def with_shardings(leaves: Sequence[LeafSpec], shardings: _PyTree, like: _PyTree, is_leaf: IsLeaf) -> list[LeafSpec]:
    """Give each leaf for which a JAX array is to be loaded its sharding.

    **Arguments**

    - `leaves`: the leaves of `like`.
    - `shardings`: a prefix of `like`; `None` in it stands for the default.
    - `like`, `is_leaf`: the tree, and which of its nodes are leaves.

    **Raises**

    - `ValueError`: if it is not a prefix.
    - `TypeError`: if there is something else than a sharding or `None` in it.
    """
    targets, _ = leaf_specs(
        shardings, like, is_leaf, argument="shardings", tree_argument="like", is_prefix_leaf=is_none
    )
    for path, sharding, _, _ in targets:
        if not isinstance(sharding, Sharding | None):
            raise TypeError(
                f"{locate('shardings', path)}: found {describe(sharding)}; expected a `jax.sharding.Sharding` or "
                "`None`."
            )
    return [
        leaf._replace(sharding=target.spec) if is_jax_leaf(leaf.leaf) else leaf
        for leaf, target in zip(leaves, targets, strict=True)
    ]


def describe_target(leaf: LeafSpec) -> Any:
    """Return what is to be loaded for a leaf: one like it, or a description of one in its sharding."""
    if leaf.sharding is None:
        return leaf.leaf
    return abstract(leaf.leaf.shape, leaf.leaf.dtype, leaf.sharding)


def put(value: Any, target: Any) -> Any:
    """Put a leaf that was loaded where it is to be, if it is not there yet."""
    if isinstance(value, jax.Array) and isinstance(target, jax.ShapeDtypeStruct) and target.sharding is not None:
        with jax.ensure_compile_time_eval():
            return jax.device_put(value, target.sharding)
    return value
