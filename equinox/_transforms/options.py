"""The options of a transformation, in a form that can be compared and hashed."""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any

from .._jax_tree import PyTreeDef, tree_flatten
from .._tree.predicates import is_none
from .selection import Selection


@dataclasses.dataclass(frozen=True)
class Donation:
    """Whose arrays may be overwritten with the results."""

    #: Positions and names of arguments; None for everything, the callable's own arrays included.
    arguments: tuple[int | str, ...] | None
    except_first: bool = False
    #: Whether to say nothing about arrays that no result could be put into.
    is_silent: bool = False


@dataclasses.dataclass(frozen=True)
class ById:
    """Stands for an option that cannot be hashed: equal to the same object only."""

    value: Any = dataclasses.field(compare=False)
    identity: int


@dataclasses.dataclass(frozen=True)
class JitOptions:
    """How the arguments and results of a compiled function are treated. Equal options share their compiled programs."""

    #: Which leaves are traced: one of the predicates that this library knows, or any other selection.
    predicate: Callable[[Any], bool] | None
    selection: Selection | None
    #: Which leaves of the output JAX returns; the others come back as the objects they are.
    is_output: Callable[[Any], bool]
    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()
    donation: Donation | None = None
    #: Options for `jax.jit`, with `ById` around those that cannot be hashed.
    jit: tuple[tuple[str, Hashable], ...] = ()


@dataclasses.dataclass(frozen=True)
class Prefix:
    """An option that is a prefix of some tree; in it, `None` is a leaf."""

    leaves: tuple[Any, ...]
    treedef: PyTreeDef

    @classmethod
    def of(cls, tree: Any) -> "Prefix":
        """Take a tree apart, which itself need not be hashable."""
        leaves, treedef = tree_flatten(tree, is_none)
        return cls(tuple(leaves), treedef)

    @property
    def tree(self) -> Any:
        """The tree itself."""
        return self.treedef.unflatten(self.leaves)

    def __reduce__(self) -> tuple[Any, ...]:
        return Prefix.of, (self.tree,)  # most treedefs cannot be pickled
