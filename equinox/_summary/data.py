"""`TreeSummary`: what is known about a model and its parts, for programs to read and for people to look at."""

import dataclasses
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from .._tree.sizes import list_structs
from .show import plain_table, rich_table, rich_text, web_table

if TYPE_CHECKING:
    from rich.table import Table

_PyTree: TypeAlias = Any


@dataclasses.dataclass(frozen=True)
class SummaryRow:
    """What is known about one part of a model, including all that is inside of it."""

    #: The key path, such as `.layers[0]`; empty for the model itself.
    path: str
    #: The name of its class; `Array` for an array beside Modules.
    type: str
    #: How many numbers there are in its floating-point and complex arrays, and in those of them that are trained.
    parameters: int
    trainable: int
    #: How much memory its arrays take, of whatever dtype.
    bytes: int
    #: The dtypes of its arrays, in the order in which they are met.
    dtypes: tuple[str, ...]
    #: How often it is called.
    calls: int = 0
    #: The arguments of the first call by name, and its result, with a `jax.ShapeDtypeStruct` for each array.
    inputs: dict[str, Any] | None = None
    output: _PyTree = None
    #: The floating-point operations of the first call; None where nobody knows.
    flops: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of this in a form that can be written as JSON."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        is_called = self.inputs is not None
        return fields | {
            "dtypes": list(self.dtypes),
            "inputs": list_structs(self.inputs) if is_called else None,
            "output": list_structs(self.output) if is_called else None,
        }


@dataclasses.dataclass(frozen=True, repr=False)
class TreeSummary:
    """What [`tree_summary`][equinox.tree_summary] finds out about a model.

    It prints as a table, and shows as one in a notebook and with `rich.print`.
    """

    #: One for the model, which has the totals, and then one for each of its parts, in the order of the tree.
    rows: tuple[SummaryRow, ...]

    @property
    def parameters(self) -> int:
        """How many numbers there are in the floating-point and complex arrays of the model."""
        return self.rows[0].parameters

    @property
    def trainable(self) -> int:
        """How many of the parameters are trained."""
        return self.rows[0].trainable

    @property
    def bytes(self) -> int:
        """How much memory the arrays of the model take."""
        return self.rows[0].bytes

    @property
    def flops(self) -> int | None:
        """How many floating-point operations a call of the model takes; None without a call, or if nobody knows."""
        return self.rows[0].flops

    def to_dict(self) -> dict[str, Any]:
        """Return all of this in a form that can be written as JSON."""
        totals = {name: getattr(self, name) for name in ("parameters", "trainable", "bytes", "flops")}
        return totals | {"rows": [row.to_dict() for row in self.rows]}

    def __str__(self) -> str:
        if sys.stdout.isatty() and (text := rich_text(self.rows)) is not None:
            return text
        return plain_table(self.rows)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return web_table(self.rows)

    def __rich__(self) -> "Table":
        return rich_table(self.rows)
