"""What a compiled function has been traced for, so that it can be said why it is traced again.

A record is made when a function is traced, never when it is merely called. It holds what JAX knows of the arrays
(shape, dtype, weak type) and no array, and it lives as long as the compiled program does.
"""

import dataclasses
import types
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import jax

from .cache import Bounded, kept_with
from .difference import ArrayType, array_type
from .options import JitOptions
from .template import Template

#: Settings of JAX, each value of which has its own traces.
SETTINGS: Final = (
    "jax_disable_jit",
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_default_device",
    "jax_threefry_partitionable",
    "jax_softmax_custom_jvp",
)


class Signature(NamedTuple):
    """What a trace is made for, given what is static."""

    #: The callable's own arrays come first.
    arrays: tuple[ArrayType, ...]
    #: The values of `SETTINGS`, and the mesh.
    settings: tuple[Hashable, ...]


def signature_of(arrays: Iterable[Any]) -> Signature:
    """Describe arrays, or what stands for them, under the settings of this moment."""
    settings = [getattr(jax.config, name, None) for name in SETTINGS]
    return Signature(tuple(map(array_type, arrays)), (*settings, jax.sharding.get_abstract_mesh()))


@dataclasses.dataclass(frozen=True)
class Origin:
    """The callable and the static part of the arguments that a configuration is for."""

    function_name: str
    options: JitOptions
    callable: Template
    arguments: Template
    #: The names of the positional arguments, and those of the others.
    names: Sequence[str]
    keywords: Sequence[str]
    #: A weak reference to what the programs live as long as; see `cache.py`.
    anchor: Callable[[], Any] | None


class History:
    """What one configuration has been traced for."""

    def __init__(self, origin: Origin, tables: Any) -> None:
        self.origin = origin
        self.signatures: Bounded[Signature] = Bounded()
        # The tables hold the programs, and those their histories.
        self._tables = weakref.ref(tables)

    @property
    def peers(self) -> "list[History]":
        """The histories of the same callable and options."""
        tables = self._tables()
        return [] if tables is None else tables.histories()

    @property
    def relatives(self) -> "list[History]":
        """The histories of callables with this name and these options that may differ in a static part."""
        own: Any = self._tables()
        kept: list[Any] = kept_with(self.origin.anchor and self.origin.anchor())
        alike = [tables for tables in kept if type(tables) is type(own)]
        found: list[History] = [history for tables in alike for history in tables.histories()]
        kind = (self.origin.function_name, self.origin.options)
        return [history for history in found if (history.origin.function_name, history.origin.options) == kind]

    def add(self, arrays: Iterable[Any]) -> None:
        """Record that the function has been traced for these arrays."""
        signature = signature_of(arrays)
        for listener in listeners:
            listener(self, signature)
        self.signatures.add(signature, signature)
        anchor = self.origin.anchor and self.origin.anchor()
        source = source_of(anchor)
        if source is not None:
            _latest.pop(source, None)
            _latest.add(source, weakref.ref(anchor))


#: Called with each trace before it is added to its history.
listeners: Final[list[Callable[[History, Signature], None]]] = []

#: The latest traced function from each place in the source.
_latest: Final[Bounded["weakref.ref[Any]"]] = Bounded()


def source_of(function: Any) -> str | None:
    """Where a Python function was written; None for anything else."""
    if type(function) is not types.FunctionType:
        return None
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno} ({code.co_qualname})"


def is_made_anew(function: Any) -> bool:
    """Whether another function made by the same code has been traced."""
    source = source_of(function)
    latest = None if source is None else _latest.get(source)
    return latest is not None and latest() is not function
