"""Where compiled configurations are kept: with the function they were made from, for as long as it lives.

`filter_jit(f)` written twice is one cache. A dictionary on the side, keyed weakly by the function, makes it so; for
that nothing in the cache may refer to the function, which is why static leaves that *are* the function are stored as
`ANCHOR`. A callable with arrays in it, such as a model, is an input like any other: configurations for those are shared
by all callables of equal structure.
"""

import types
import weakref
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, final

_V = TypeVar("_V")

#: How many configurations one cache holds. When it is full, the oldest half goes.
MAX_CONFIGURATIONS: Final = 4096


@final
class _Anchor:
    def __repr__(self) -> str:
        return "ANCHOR"


ANCHOR: Final = _Anchor()


class Bounded(dict[Hashable, _V]):
    """A dictionary that forgets the older half of its entries when it is full."""

    def add(self, key: Hashable, value: _V) -> _V:
        """Add an entry, or return the one that another thread added meanwhile."""
        if len(self) >= MAX_CONFIGURATIONS:
            for old in list(self)[: MAX_CONFIGURATIONS // 2]:
                self.pop(old, None)
        return self.setdefault(key, value)


_of_functions: Final[weakref.WeakKeyDictionary[types.FunctionType, dict[Hashable, Any]]] = weakref.WeakKeyDictionary()
_of_no_function: Final[Bounded[Any]] = Bounded()
_all: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def shared(anchor: types.FunctionType | None, key: Hashable, make: Callable[[], _V]) -> _V:
    """What was made for `key` and `anchor` before, or else is made now. It lives no longer than `anchor`."""
    if anchor is None:
        found = _of_no_function.get(key)
        made: _V = _of_no_function.add(key, make()) if found is None else found
    else:
        of_function = _of_functions.setdefault(anchor, {})
        made = of_function[key] if key in of_function else of_function.setdefault(key, make())
    _all.add(made)
    return made


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
