"""Recognise a call that is just like one a moment ago, without building a key for it."""

import dataclasses
import operator
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from .._jax_tree import PyTreeDef
from .._tree.predicates import JAX_ARRAY_TYPES, is_array, is_array_like, is_inexact_array

_ARRAY_KINDS: Final = JAX_ARRAY_TYPES | {np.ndarray}

#: For each known predicate, types whose instances it selects, or else the call is an error: JAX rejects NumPy arrays
#: of objects, and an array that `is_inexact_array` does not select cannot be hashed.
SELECTED_KINDS: Final[dict[Callable[[Any], bool], frozenset[type]]] = {
    is_array: _ARRAY_KINDS,
    is_array_like: _ARRAY_KINDS | {bool, int, float, complex},
    is_inexact_array: JAX_ARRAY_TYPES,
}

#: So many elements are sooner deleted from a list than all the others are copied.
_FEW: Final = 8


@dataclasses.dataclass(frozen=True)
class Recent:
    """A call of some time ago. One is like it if all leaves have the same types and the static ones are the same."""

    call: Callable[..., Any]
    names: tuple[str, ...]
    count: int
    treedef: PyTreeDef
    kinds: list[type]
    static: tuple[tuple[int, Any], ...]
    #: Where the static leaves are, from the last to the first: to be deleted from a list, the others remain.
    static_positions: tuple[int, ...]
    #: Picks out the dynamic leaves, where there are so many others that this is quicker.
    pick: Callable[[list[Any]], Any] | None

    @classmethod
    def make(
        cls,
        call: Callable[..., Any],
        names: tuple[str, ...],
        count: int,
        treedef: PyTreeDef,
        leaves: list[Any],
        mask: list[bool],
    ) -> "Recent":
        """Remember a call of a compiled function with this many positional arguments and these keyword arguments."""
        dynamic = [i for i, is_dynamic in enumerate(mask) if is_dynamic]
        static = tuple((i, leaf) for i, leaf in enumerate(leaves) if not mask[i])
        pick: Callable[[list[Any]], Any] | None = None
        if len(static) > _FEW:
            # With one position or none, `itemgetter` returns no tuple.
            pick = operator.itemgetter(*dynamic) if len(dynamic) > 1 else partial(_pick, dynamic)
        static_positions = tuple(position for position, _ in reversed(static))
        return cls(call, names, count, treedef, list(map(type, leaves)), static, static_positions, pick)

    def has(self, leaves: list[Any]) -> bool:
        """Whether the leaves are such that the same program is right for them."""
        if list(map(type, leaves)) != self.kinds:
            return False
        for position, leaf in self.static:  # noqa: SIM110 # a generator would take longer
            if leaves[position] is not leaf:
                return False
        return True


def _pick(positions: list[int], leaves: list[Any]) -> list[Any]:
    return [leaves[position] for position in positions]
