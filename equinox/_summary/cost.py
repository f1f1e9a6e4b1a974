"""How many floating-point operations a call takes, as the compiler estimates it before it compiles."""

from collections.abc import Hashable, Mapping
from typing import Any, TypeAlias, cast

import jax

from .._jax_tree import tree_flatten
from .._transforms.eval_shape import is_abstract
from .._tree.partition import combine, partition
from .._tree.predicates import is_array
from .calls import Call

_PyTree: TypeAlias = Any


class Costs:
    """Counts operations, once for all calls that look the same."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int | None] = {}

    def of(self, call: Call) -> int | None:
        """The operations in a call, or None if nobody knows: if it cannot be repeated on its own."""
        key = _key((call.module, call.args, call.kwargs))
        if key is None:
            return _count(call)
        if key not in self._known:
            self._known[key] = _count(call)
        return self._known[key]


def _key(tree: _PyTree) -> Hashable | None:
    leaves, structure = tree_flatten(tree)
    key = structure, tuple((leaf.shape, leaf.dtype) if is_abstract(leaf) else id(leaf) for leaf in leaves)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _count(call: Call) -> int | None:
    arrays, rest = partition((call.module, call.args, call.kwargs), is_abstract)

    def repeat(arrays: _PyTree) -> _PyTree:
        module, args, kwargs = combine(arrays, rest)
        return [leaf for leaf in jax.tree.leaves(module(*args, **kwargs)) if is_array(leaf)]

    try:
        analysis = cast(Mapping[str, float] | None, jax.jit(repeat).lower(arrays).cost_analysis())
    except Exception:  # noqa: BLE001 # a part may need what is around it, such as the axis of a `vmap`
        return None
    flops = None if analysis is None else analysis.get("flops")
    return None if flops is None or flops < 0 else int(flops)
