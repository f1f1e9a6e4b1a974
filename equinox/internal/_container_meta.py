"""`ContainerMeta`: a metaclass that numbers the messages in a class body. Deprecated: use `Enumeration`."""

from typing import Any, SupportsIndex

import numpy as np

from .._tree.predicates import is_array


class ContainerMeta(type):
    """Number the strings in the body of a class. Deprecated: use [`Enumeration`][equinox.Enumeration].

    The attributes of such a class are the integers 0, 1, … in place of the strings. `C[i]` is the string with number
    `i`, `len(C)` is how many there are, and `C.reverse_lookup` is the list of them. An integer, or an array that is an
    integer scalar, is an instance of the class.

    **Example**
    ```python
    >>> class Result(metaclass=ContainerMeta):
    ...     done = "finished"
    ...     stalled = "no progress"
    >>> Result.stalled, Result[Result.stalled]
    (1, 'no progress')

    ```
    """

    reverse_lookup: list[str]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /) -> "ContainerMeta":
        messages = {key: value for key, value in namespace.items() if not (key.startswith("__") and key.endswith("__"))}
        for key, value in messages.items():
            if not isinstance(value, str):
                raise ValueError(f"Class `{name}`: the attribute `{key}` is {value!r}, but it must be a string.")
        cls = super().__new__(mcs, name, bases, namespace | dict(zip(messages, range(len(messages)), strict=True)))
        cls.reverse_lookup = list(messages.values())
        return cls

    def __getitem__(cls, index: SupportsIndex) -> str:
        return cls.reverse_lookup[index]

    def __len__(cls) -> int:
        return len(cls.reverse_lookup)

    def __bool__(cls) -> bool:
        return True

    def __instancecheck__(cls, instance: Any) -> bool:
        if is_array(instance):
            return np.ndim(instance) == 0 and bool(np.issubdtype(instance.dtype, np.integer))
        return isinstance(instance, int) and not isinstance(instance, bool)
