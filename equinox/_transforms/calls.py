"""A call, taken apart: which of its leaves are dynamic, and a key of everything else."""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import jax
from jax.core import Tracer

from .._errors import describe, is_hashable, locate
from .._jax_tree import PyTreeDef, keystr, tree_flatten, tree_leaves_with_path, tree_structure
from .._tree.predicates import JAX_ARRAY_TYPES, is_array, is_array_like
from .arguments import Arguments
from .cache import ANCHOR
from .conceal import static_key
from .difference import SomeArray, StaticLeaf, structure_difference
from .options import JitOptions
from .template import StaticArgument

_T = TypeVar("_T")

_Struct: Final = jax.ShapeDtypeStruct

#: What JAX raises for an argument that it cannot turn into an array.
CONVERSION_ERRORS: Final = (TypeError, ValueError, OverflowError)

#: What calling a compiled function raises if one of its arguments is to blame.
CALL_ERRORS: Final = (*CONVERSION_ERRORS, RuntimeError)

#: What to do about a static leaf that cannot be hashed.
ADVICE: Final = "Give its type `__hash__` and `__eq__`, or pass what it holds as arrays."


class UnhashableLeafError(TypeError, ValueError):
    """A leaf that is to be part of a compiled program cannot be hashed."""


class StaticKey(NamedTuple):
    """What two calls have in common if the same compiled program is right for both."""

    treedef: PyTreeDef
    names: tuple[str, ...]
    leaves: tuple[tuple[int, Hashable], ...]


@dataclasses.dataclass(frozen=True)
class Call:
    """A call, taken apart."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    leaves: list[Any]
    treedef: PyTreeDef
    mask: list[bool]
    dynamic: list[Any]
    key: Hashable

    def of_dynamic_leaves(self, of_arguments: Sequence[_T]) -> list[_T]:
        """Repeat what belongs to each argument for each of its dynamic leaves."""
        trees = (*self.args, *self.kwargs.values())
        of_leaves = [
            item for item, tree in zip(of_arguments, trees, strict=True) for _ in range(tree_structure(tree).num_leaves)
        ]
        return [item for item, is_dynamic in zip(of_leaves, self.mask, strict=True) if is_dynamic]


class CallReader:
    """Takes the calls of one function apart.

    **Arguments**

    - `function`, `options`: the function, and which leaves of its arguments are dynamic.
    - `anchor`: a static leaf of the function that keys must not keep alive, if there is one.
    """

    def __init__(self, function: Callable[..., Any], options: JitOptions, anchor: Any) -> None:
        self.has_static_arguments: bool = bool(options.static_argnums or options.static_argnames)
        self._function = function
        self._options = options
        self._anchor = anchor
        self._arguments: Arguments | None = None

    @property
    def arguments(self) -> Arguments:
        """The signature of the function; looked at only when needed."""
        if self._arguments is None:
            self._arguments = Arguments(self._function)
        return self._arguments

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any], are_structs_arrays: bool = False) -> Call:
        """Flatten the arguments, in their canonical order, and split the leaves."""
        args, kwargs = self.canonical(args, kwargs)
        leaves, treedef = tree_flatten((args, tuple(kwargs.values())) if kwargs else args)
        mask = self._mask(leaves, args, kwargs)
        if are_structs_arrays:
            mask = [dynamic or isinstance(leaf, _Struct) for dynamic, leaf in zip(mask, leaves, strict=True)]
        dynamic = [leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic]
        # Never the treedef alone: to `!=`, a treedef differs from nothing that is not a treedef.
        static = tuple((i, self.static_key(leaf)) for i, leaf in enumerate(leaves) if not mask[i])
        key = StaticKey(treedef, tuple(kwargs), static)
        return Call(args, kwargs, leaves, treedef, mask, dynamic, key)

    def canonical(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """As `Arguments.canonical`, with a mark around what is static as a whole."""
        args, kwargs = self.arguments.canonical(args, kwargs)
        if self.has_static_arguments:
            positions, names = self.arguments.resolve(
                self._options.static_argnums, self._options.static_argnames, len(args)
            )
            args = tuple(StaticArgument(arg) if i in positions else arg for i, arg in enumerate(args))
            kwargs = {name: StaticArgument(arg) if name in names else arg for name, arg in kwargs.items()}
        return args, kwargs

    def _mask(self, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[bool]:
        """Which leaves are dynamic."""
        predicate = self._options.predicate
        if predicate is not None:
            return [predicate(leaf) for leaf in leaves]
        assert self._options.selection is not None
        inputs = [tree for tree in (*args, *kwargs.values()) if type(tree) is not StaticArgument]
        selectable = leaves
        if self.has_static_arguments:
            selectable = [leaf for leaf in leaves if type(leaf) is not StaticArgument]
        mask = self._options.selection.mask(selectable, lambda: self._selectable_names(args, kwargs), inputs)
        if self.has_static_arguments:
            answers = iter(mask)
            mask = [type(leaf) is not StaticArgument and next(answers) for leaf in leaves]
        return mask

    def _selectable_names(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        inputs = [*zip(self.arguments.names(len(args)), args, strict=True), *kwargs.items()]
        return [name for name, tree in inputs if type(tree) is not StaticArgument]

    def static_key(self, leaf: Any) -> Hashable:
        """What stands for a static leaf in a key."""
        if leaf is self._anchor and leaf is not None:
            return ANCHOR
        if type(leaf) is StaticArgument:
            return StaticArgument, static_key(leaf.value)
        key: Hashable = static_key(leaf)
        return key

    def difference(self, key: Hashable, other_key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Describe how the static part of this call, whose key is `other_key`, differs from that with another key."""
        first, second = cast(StaticKey, key), cast(StaticKey, other_key)
        if (first.treedef, first.names) != (second.treedef, second.names):
            try:
                return self._structural_difference(self._arguments_of(first), self._arguments_of(second))
            except Exception:  # noqa: BLE001 # a node of the user's may refuse to hold just anything
                return f"the structure was {first.treedef}, and is {second.treedef}"
        places = self.arguments.locate_leaves(*self.canonical(args, kwargs))
        was, now = dict(first.leaves), dict(second.leaves)
        for i in sorted({*was, *now}):
            if was.get(i) != now.get(i):
                return f"{places[i]} was {_show_key(was.get(i))}, and is {_show_key(now.get(i))}"
        return "they are equal, but their hashes are not"

    def _arguments_of(self, key: StaticKey) -> dict[str, Any]:
        """The arguments of a call with this key, by name, with a description in place of each leaf."""
        leaves: list[Any] = [SomeArray()] * key.treedef.num_leaves
        for i, of_leaf in key.leaves:
            leaves[i] = StaticLeaf("the function itself" if of_leaf is ANCHOR else _value(of_leaf))
        tree = key.treedef.unflatten(leaves)
        args, values = tree if key.names else (tree, ())
        return dict(zip([*self.arguments.names(len(args)), *key.names], [*args, *values], strict=True))

    @staticmethod
    def _structural_difference(before: dict[str, Any], after: dict[str, Any]) -> str:
        for name in {**before, **after}:
            if name not in before or name not in after:
                was, is_now = ("given" if name in arguments else "not given" for arguments in (before, after))
                return f"{locate(name)} was {was}, and is {is_now}"
            if tree_structure(before[name]) != tree_structure(after[name]):
                found = structure_difference(functools.partial(locate, name), before[name], after[name])
                return f"{found.place} was {found.before}, and is {found.after}"
        return "the arguments were given in another order"

    def unhashable(self, call: Call) -> UnhashableLeafError:
        """The error for a call with a static leaf that cannot be hashed."""
        places = self.arguments.locate_leaves(call.args, call.kwargs)
        for leaf, is_dynamic, place in zip(call.leaves, call.mask, places, strict=True):
            value = leaf.value if type(leaf) is StaticArgument else leaf
            if is_dynamic or is_hashable(value):
                continue
            if type(leaf) is StaticArgument:
                advice = "An argument in `static_argnums` or `static_argnames` must be hashable."
            elif is_array_like(value):
                advice = "To trace it instead, use a filter that selects arrays, such as `is_array_like` or `is_array`."
            else:
                advice = ADVICE
            return UnhashableLeafError(
                f"Non-hashable static arguments are used in a compiled function: {place} of "
                f"`{self.arguments.function_name}` is static and cannot be hashed. It is {describe(value)}. {advice}"
            )
        return UnhashableLeafError(
            "Non-hashable static arguments are used in a compiled function: a static field of a node in the arguments "
            f"of `{self.arguments.function_name}` cannot be hashed."
        )

    def locate_dynamic(self, function: Callable[..., Any], call: Call) -> list[tuple[str, Any]]:
        """The dynamic leaves, the function's own first, and in words where they are."""
        name = self.arguments.function_name
        own = [(f"callable `{name}`, leaf `{keystr(path)}`", leaf) for path, leaf in tree_leaves_with_path(function)]
        places = self.arguments.locate_leaves(call.args, call.kwargs)
        given = [item for *item, is_dynamic in zip(places, call.leaves, call.mask, strict=True) if is_dynamic]
        return [(place, leaf) for place, leaf in [*(item for item in own if is_array(item[1])), *given]]

    def locate_deleted(self, error: Exception, function: Callable[..., Any], call: Call) -> None:
        """Say so if there is an array, in the function or the arguments, that is no longer there."""
        name = self.arguments.function_name
        for place, leaf in self.locate_dynamic(function, call):
            if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer) and leaf.is_deleted():
                kind = RuntimeError if isinstance(error, RuntimeError) else ValueError
                raise kind(
                    f"{error}\n`{name}` was called with an array that is no longer there: {place}, {describe(leaf)}. "
                    "It was donated to a compiled function before, or deleted. Go on with what that function returned, "
                    "or do not let it overwrite this argument (`donate='none'`, or `'all-except-first'`)."
                ) from error

    def locate_unrepresentable(self, error: Exception, call: Call, may_be_structs: bool = False) -> None:
        """Say so if the reason for the error is a leaf that was selected for tracing but that JAX cannot trace."""
        places = self.arguments.locate_leaves(call.args, call.kwargs)
        for leaf, is_dynamic, place in zip(call.leaves, call.mask, places, strict=True):
            if may_be_structs and isinstance(leaf, _Struct):
                continue
            if is_dynamic and type(leaf) not in JAX_ARRAY_TYPES and not _is_representable(leaf):
                kind = next(kind for kind in CONVERSION_ERRORS if isinstance(error, kind))
                raise kind(
                    f"{error}\nThe filter selected {place} of `{self.arguments.function_name}` to be traced, which is "
                    f"{describe(leaf)}, not something that JAX can trace. A filter that says no to it leaves it static."
                ) from error


def _is_representable(leaf: Any) -> bool:
    if not is_array_like(leaf):
        return False
    try:
        jax.eval_shape(_identity, leaf)
    except CONVERSION_ERRORS:
        return False
    return True


def _identity(leaf: _T) -> _T:
    return leaf


def _show_key(key: Any) -> str:
    """Show a static leaf, or that there is none, by its key."""
    if key is None:
        return "an array"
    return "the function itself" if key is ANCHOR else describe(_value(key))


def _value(key: Any) -> Any:
    """The leaf with this key, or one that looks like it."""
    if key[0] is StaticArgument:
        return _value(key[1])
    if key[0] in (float, complex):
        return key[0].fromhex(key[1]) if key[0] is float else complex(*map(float.fromhex, key[1:]))
    return tuple(map(_value, key[1:])) if key[0] is tuple else key[-1]
