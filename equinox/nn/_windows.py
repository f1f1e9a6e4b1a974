"""How a window moves over the spatial axes of an image: the numbers that convolutions and pooling have for each axis.

For an option such as the stride, one number stands for all axes. Layers hold one for each, as plain tuples.
"""

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

from .._errors import describe, locate

PerAxis: TypeAlias = int | Sequence[int]
PaddingPerAxis: TypeAlias = int | Sequence[int] | Sequence[tuple[int, int]]
Pads: TypeAlias = tuple[tuple[int, int], ...]


def per_axis(argument: str, value: PerAxis, axes: int, minimum: int = 1) -> tuple[int, ...]:
    """Return one integer for each axis, whether `value` is one for all or a sequence of them.

    **Raises**

    - `ValueError`: `value`, given for the constructor's `argument`, is neither, or less than `minimum` somewhere.
    """
    found = _broadcast(value, axes)
    if found is None or any(item < minimum for item in found):
        raise ValueError(
            f"{locate(argument)} must be an integer, or a sequence of {axes} of them, one for each spatial axis, "
            f"each at least {minimum}. Found {describe(value)}."
        )
    return found


def as_pads(value: PaddingPerAxis, axes: int, alternative: str = "") -> Pads:
    """Return a pair of integers for each axis: how much is added to it before its first and after its last entry.

    **Raises**

    - `ValueError`: `value`, given for the constructor's `padding`, is neither an integer nor a sequence of integers or
        pairs. `alternative` says in the message what else it may be.
    """
    amounts = _broadcast(value, axes)
    if amounts is not None:
        return tuple((amount, amount) for amount in amounts)
    pairs = _items(value, axes)
    pads = [_integers(pair, 2) for pair in pairs or ()]
    if pairs is None or None in pads:
        raise ValueError(
            f"{locate('padding')} must be an integer, a sequence of {axes} integers, or a sequence of {axes} pairs "
            f"of integers, one for each spatial axis{alternative}. Found {describe(value)}."
        )
    return tuple((pad[0], pad[1]) for pad in pads if pad is not None)


def _broadcast(value: Any, axes: int) -> tuple[int, ...] | None:
    try:
        return (operator.index(value),) * axes
    except TypeError:
        return _integers(value, axes)


def _integers(value: Any, length: int) -> tuple[int, ...] | None:
    items = _items(value, length)
    try:
        return None if items is None else tuple(map(operator.index, items))
    except TypeError:
        return None


def _items(value: Any, length: int) -> tuple[Any, ...] | None:
    try:
        items = tuple(value)
    except TypeError:
        return None
    return items if len(items) == length else None
