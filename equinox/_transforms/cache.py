"""Where compiled configurations are kept: with the function they were made from, for as long as it lives.

`filter_jit(f)` written twice is one cache. A dictionary on the side, keyed weakly by the function, makes it so; for
that nothing in the cache may refer to the function, which is why static leaves that *are* the function are stored as
`ANCHOR`. A callable with arrays in it, such as a model, is an input like any other: configurations for those are shared
by all callables of equal structure.
"""

import types
import weakref
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar, final

_V = TypeVar("_V")

#: How many configurations one cache holds. When it is full, the oldest half goes.
MAX_CONFIGURATIONS: Final = 4096


@final
class _Anchor:
    def __repr__(self) -> str:
        return "ANCHOR"


ANCHOR: Final = _Anchor()


def find_anchor(leaves: Iterable[Any]) -> Any:
    """The first leaf of a callable whose life can decide how long its programs are kept; None if there is none.

    That is an object which is equal to nothing but itself, or a method of one.
    """
    return next((leaf for leaf in leaves if _is_unique(leaf.__self__ if _is_method(leaf) else leaf)), None)


def weak_reference(anchor: Any) -> Callable[[], Any]:
    """A reference to an anchor that does not keep it alive."""
    return weakref.WeakMethod(anchor) if _is_method(anchor) else weakref.ref(anchor)


def _is_method(leaf: Any) -> bool:
    return type(leaf) is types.MethodType


def _is_unique(leaf: object) -> bool:
    kind = type(leaf)
    return kind.__eq__ is object.__eq__ and kind.__hash__ is object.__hash__ and kind.__weakrefoffset__ != 0


class Bounded(dict[Hashable, _V]):
    """A dictionary that forgets the older half of its entries when it is full."""

    def add(self, key: Hashable, value: _V) -> _V:
        """Add an entry, or return the one that another thread added meanwhile."""
        if len(self) >= MAX_CONFIGURATIONS:
            for old in list(self)[: MAX_CONFIGURATIONS // 2]:
                self.pop(old, None)
        return self.setdefault(key, value)


_of_functions: Final[weakref.WeakKeyDictionary[Any, "Bounded[Any]"]] = weakref.WeakKeyDictionary()
_of_no_function: Final[Bounded[Any]] = Bounded()
_all: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def shared(anchor: Any, key: Hashable, make: Callable[[], _V]) -> _V:
    """What was made for `key` and `anchor` before, or else is made now. It lives no longer than `anchor`."""
    if _is_method(anchor):
        key = (anchor.__func__, key)
        anchor = anchor.__self__
    table: Bounded[_V] = _of_no_function if anchor is None else _of_functions.setdefault(anchor, Bounded())
    found = table.get(key)
    made = table.add(key, make()) if found is None else found
    _all.add(made)
    return made


def kept_with(anchor: Any) -> list[Any]:
    """Everything that `shared` has made for this anchor."""
    if _is_method(anchor):
        anchor = anchor.__self__
    table = _of_no_function if anchor is None else _of_functions.get(anchor, Bounded[Any]())
    return [*table.values()]


def clear_caches() -> None:
    """Forget every compiled program and every result of abstract evaluation that this library keeps.

    JAX's own caches are left alone; `jax.clear_caches` is for those.

    **Example**
    ```python
    >>> eqx.clear_caches()

    ```
    """
    for cache in list(_all):
        cache.clear()
