"""How two versions of a tree differ, leaf by leaf, as far as a compiled program is concerned.

The carry of a loop may not differ from one step to the next, and a call of a compiled function that differs from all
earlier ones is traced anew. Both are explained with the same words.
"""

import dataclasses
import functools
import types
from collections.abc import Callable, Hashable
from typing import Any, Final, Literal, TypeAlias, cast

import jax
from jax.tree_util import GetAttrKey

from .._errors import describe
from .._jax_tree import KeyPath, keystr
from .._tree.describe import describe_node
from .._tree.one_level import flatten_one_level_with_path
from .._tree.prefix import structural_difference
from .conceal import is_same_static

_PyTree: TypeAlias = Any
#: Says, in words, what a key path leads to.
_Place: TypeAlias = Callable[[KeyPath], str]

#: What is different about a leaf, or about a node, or about the circumstances.
DifferenceKind: TypeAlias = Literal[
    "structure", "static", "function", "kind", "shape", "dtype", "weak type", "sharding", "setting"
]


@dataclasses.dataclass(frozen=True)
class Difference:
    """One respect in which two versions of a tree differ.

    **Attributes**

    - `place`: where: the argument and the key path, or the name of the setting.
    - `kind`: in what: the `"structure"` of the tree; the value of a `"static"` leaf or field; a static `"function"`
      that was made anew by the same code; the `"kind"` of leaf (an array or not); the `"shape"`, `"dtype"`,
      `"weak type"` or `"sharding"` of an array; a `"setting"` of JAX.
    - `before`, `after`: the two versions, in words.
    """

    place: str
    kind: DifferenceKind
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.place}: {_LABELS.get(self.kind, self.kind)} was {self.before}, is {self.after}"


_LABELS: Final[dict[DifferenceKind, str]] = {"static": "static value", "kind": "leaf"}


@dataclasses.dataclass(frozen=True, slots=True)
class ArrayType:
    """What JAX knows of an array when it traces a function."""

    shape: tuple[int, ...]
    dtype: Any
    weak_type: bool
    #: Only where a mesh makes it part of the type.
    sharding: Hashable

    def __str__(self) -> str:
        sizes = ",".join(map(str, self.shape))
        return f"{self.dtype}[{sizes}]" + (" (weakly typed)" if self.weak_type else "")


# A model has many leaves, but few kinds of them.
_array_type = functools.lru_cache(4096)(ArrayType)


def array_type(leaf: Any) -> ArrayType:
    """The type of an array, a tracer, a Python number, or of the array that a `jax.ShapeDtypeStruct` stands for."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        struct = cast(Any, leaf)
        return _array_type(tuple(struct.shape), struct.dtype, bool(struct.weak_type), None)
    abstract: Any = jax.typeof(leaf)
    sharding = getattr(abstract, "sharding", None)
    if sharding is not None and sharding.mesh.empty:
        sharding = None
    return _array_type(abstract.shape, abstract.dtype, bool(getattr(abstract, "weak_type", False)), sharding)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class StaticLeaf:
    """A leaf that is no array to JAX."""

    value: Any


@dataclasses.dataclass(frozen=True, slots=True)
class SomeArray:
    """An array of which nothing else is known."""


def leaf_difference(place: str, before: ArrayType | StaticLeaf, after: ArrayType | StaticLeaf) -> Difference | None:
    """How two versions of a leaf differ; None if one compiled program is right for both."""
    if isinstance(before, ArrayType) and isinstance(after, ArrayType):
        return _array_difference(place, before, after)
    if isinstance(before, StaticLeaf) and isinstance(after, StaticLeaf):
        return static_difference(place, before.value, after.value)
    return Difference(place, "kind", _show(before), _show(after))


def _array_difference(place: str, before: ArrayType, after: ArrayType) -> Difference | None:
    if before.shape != after.shape:
        return Difference(place, "shape", str(before), str(after))
    if before.dtype != after.dtype:
        return Difference(place, "dtype", str(before), str(after))
    if before.weak_type != after.weak_type:
        return Difference(place, "weak type", str(before), str(after))
    if before.sharding != after.sharding:
        return Difference(place, "sharding", str(before.sharding), str(after.sharding))
    return None


def static_difference(place: str, before: Any, after: Any) -> Difference | None:
    """How two static values differ; None if one compiled program is right for both."""
    if is_same_static(before, after):
        return None
    code = _code_of(before)
    is_remade = code is not None and code is _code_of(after)
    return Difference(place, "function" if is_remade else "static", describe(before), describe(after))


def _code_of(function: Any) -> types.CodeType | None:
    """The code of a Python function, or of that inside of a `functools.partial`, a method, or a wrapper."""
    while type(function) is not types.FunctionType:
        inner = (getattr(function, name, None) for name in ("__wrapped__", "func", "__func__"))
        function = next((value for value in inner if value is not None), None)
        if function is None:
            return None
    code: types.CodeType = function.__code__
    return code


def _show(leaf: ArrayType | StaticLeaf | SomeArray) -> str:
    if isinstance(leaf, SomeArray):
        return "an array"
    return f"an array ({leaf})" if isinstance(leaf, ArrayType) else describe(leaf.value)


def _show_node(node: Any) -> str:
    return _show(node) if isinstance(node, (ArrayType, StaticLeaf, SomeArray)) else describe_node(node)


def structure_difference(place: _Place, before: _PyTree, after: _PyTree) -> Difference:
    """The first difference in structure of two trees that have different ones."""
    path, old, new = structural_difference(before, after) or ((), before, after)
    field = _static_field_difference(old, new)
    if field is None:
        return Difference(place(path), "structure", _show_node(old), _show_node(new))
    name, was, is_now = field
    at_field = place((*path, GetAttrKey(name)))
    difference = static_difference(at_field, was, is_now)
    return difference or Difference(at_field, "static", describe(was), describe(is_now))


def _static_field_difference(before: Any, after: Any) -> tuple[str, Any, Any] | None:
    """The first field of two dataclass instances that is part of their structure, and different."""
    if type(before) is not type(after) or not dataclasses.is_dataclass(before):
        return None
    children = {keystr(path) for path, _ in flatten_one_level_with_path(before)[0]}
    for field in dataclasses.fields(before):
        was, is_now = getattr(before, field.name, None), getattr(after, field.name, None)
        if f".{field.name}" not in children and was is not is_now and was != is_now:
            return field.name, was, is_now
    return None
