# To type checkers an enumeration is one of Python's, because only of those they know that the names in the body of the
# class are its instances.
import enum
from typing import Any, Self, TypeVar

from jax import Array
from jax.typing import ArrayLike

_T = TypeVar("_T")

class EnumerationMeta(enum.EnumMeta):
    def __getitem__(cls, item: Any) -> str: ...  # type: ignore[override] # an item, not its name

class Enumeration(enum.Enum, metaclass=EnumerationMeta):  # type: ignore[misc] # only subclasses have members
    def is_traced(self) -> bool: ...
    def error_if(self, token: _T, pred: ArrayLike) -> _T: ...
    def __eq__(self, other: object) -> Array: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # items are arrays
    def __ne__(self, other: object) -> Array: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # as above
    # Items that are inherited keep the type of the class that they were written in, hence the unions.
    @classmethod
    def where(cls, pred: ArrayLike, a: Self | Enumeration, b: Self | Enumeration) -> Self: ...
    @classmethod
    def promote(cls, item: Enumeration) -> Self: ...
