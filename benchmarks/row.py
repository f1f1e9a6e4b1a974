"""A row of the table, before it is measured."""

import dataclasses
import operator
from collections.abc import Callable
from typing import Literal

import equinox as eqx

from .timing import Pair


@dataclasses.dataclass(frozen=True)
class Row:
    """One kind of work, and how fast it is to be."""

    name: str
    #: What the floor is, in words.
    floor: str
    #: What the ratio should be at most, or the seconds if there is no floor; None for rows that only inform.
    target: float | None
    prepare: Callable[[], Pair]
    #: The names that `equinox` must have, with dots if they are in one of its modules.
    needs: tuple[str, ...] = ()
    #: What is measured: seconds, or the bytes of memory that remain in use.
    unit: Literal["s", "B"] = "s"
    #: The same work as Flax NNX would have it, against the same floor.
    flax: Callable[[], Pair] | None = None

    def is_possible(self) -> bool:
        """Whether the installed `equinox` can do this."""
        try:
            for name in self.needs:
                operator.attrgetter(name)(eqx)
        except AttributeError:
            return False
        return True
