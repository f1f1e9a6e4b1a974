"""`store_dce` and `inspect_dce`: see what the compiler removes because nothing depends on it.

A callback notes down where an array is used. Whatever the compiler removes, it removes with its callback.
"""

import collections
import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any, Final, TypeVar

import jax
import numpy as np

from .._jax_tree import PyTreeDef, tree_flatten
from .._runtime.arrays import is_jax_array, map_arrays
from .._runtime.dependency import TOKEN, after
from .._runtime.primitive import define_primitive
from .._runtime.tracing import is_tracing
from .._tree.pretty import tree_pformat

_T = TypeVar("_T")


@dataclasses.dataclass(eq=False)
class _Entry:
    """One tracing of one call of `store_dce`."""

    treedef: PyTreeDef
    #: With structures in place of arrays.
    leaves: list[Any]
    #: The positions, among the arrays, of those that are still there.
    alive: set[int] = dataclasses.field(default_factory=set[int])

    def note(self, position: int) -> np.ndarray[Any, Any]:
        self.alive.add(position)
        return np.zeros(TOKEN.shape, TOKEN.dtype)

    def show(self) -> str:
        leaves = list(self.leaves)
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.ShapeDtypeStruct)]
        for position, i in enumerate(places):
            if position not in self.alive:
                leaves[i] = _REMOVED
        return tree_pformat(self.treedef.unflatten(leaves), struct_as_array=True)


class _Removed:
    def __repr__(self) -> str:
        return "<DCE'd>"


_REMOVED: Final = _Removed()
_entries: Final[collections.defaultdict[Hashable, list[_Entry]]] = collections.defaultdict(list)


def store_dce(x: _T, name: Hashable = None) -> _T:
    """Note down which arrays are left when the compiler has removed dead code; [`inspect_dce`][] then shows it.

    **Arguments**

    - `x`: any PyTree.
    - `name`: under which to note it down.

    **Returns**

    `x`.

    **Raises**

    - `RuntimeError`: this is not inside of `jax.jit`.

    **Example**
    ```python
    >>> @jax.jit
    ... def first(x):
    ...     x, y = eqx.debug.store_dce((x, jnp.sin(x)), name="example")
    ...     return x
    >>> first(1.0)
    Array(1., dtype=float32, weak_type=True)
    >>> eqx.debug.inspect_dce("example")
    Found 1 call to `equinox.debug.store_dce`.
    Entry 0:
    (f32[], <DCE'd>)

    ```
    """
    if not is_tracing():
        raise RuntimeError("`equinox.debug.store_dce` must be used inside of `jax.jit`, where dead code is removed.")
    leaves, treedef = tree_flatten(x)
    entry = _Entry(treedef, [_as_struct(leaf) if is_jax_array(leaf) else leaf for leaf in leaves])
    _entries[name].append(entry)
    return map_arrays(lambda arrays: [alive_p.bind(a, entry=entry, position=i)[0] for i, a in enumerate(arrays)], x)


def inspect_dce(name: Hashable = None) -> None:
    """Print what [`store_dce`][] has noted down: of each call, once for each time that it was traced.

    **Arguments**

    - `name`: that which was given to `store_dce`.

    **Raises**

    - `RuntimeError`: this is inside of `jax.jit`.

    **Example**
    ```python
    >>> eqx.debug.inspect_dce("no such name")
    Found 0 calls to `equinox.debug.store_dce`.

    ```
    """
    if is_tracing():
        raise RuntimeError("`equinox.debug.inspect_dce` must be used outside of `jax.jit`, when the program has run.")
    entries = _entries.get(name, [])
    lines = [f"Found {len(entries)} call{'' if len(entries) == 1 else 's'} to `equinox.debug.store_dce`."]
    for i, entry in enumerate(entries):
        lines += [f"Entry {i}:", entry.show()]
    print("\n".join(lines))  # noqa: T201 # this is what it is for


def _as_struct(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)  # type: ignore[no-untyped-call] # it has no annotations


def _same(array: Any, *, entry: _Entry, position: int) -> Sequence[Any]:
    del entry, position
    return [array]


def _lower(array: Any, *, entry: _Entry, position: int) -> Sequence[Any]:
    return [after(jax.pure_callback(lambda: entry.note(position), TOKEN), array)]


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **options: Any) -> tuple[Any, Any]:
    return alive_p.bind(*primals, **options), tangents


def _batch(arrays: Sequence[Any], axes: Sequence[Any], **options: Any) -> tuple[Any, Any]:
    return alive_p.bind(*arrays, **options), axes


alive_p: Final = define_primitive("store_dce", impl=_same, abstract_eval=_same, lower=_lower, batch=_batch, jvp=_jvp)
