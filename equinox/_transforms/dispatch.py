"""From a call to a compiled program: split the leaves, look up the configuration, call JAX.

A *configuration* is what the static leaves and the structure of the arguments amount to; there is one `jax.jit` for
each, over the flat list of dynamic leaves. Which shapes and dtypes it has been compiled for is JAX's business.

The steps of a call are: flatten the arguments once; pick out the dynamic leaves; find the configuration in a
dictionary, keyed by the treedef and the static leaves; call it. Nothing is copied, nothing dynamic is kept.
"""

import dataclasses
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import jax

from .._errors import describe
from .._jax_tree import PyTreeDef, keystr, tree_flatten, tree_flatten_with_path, tree_structure
from .._runtime.guard import Guard, UninspectedError, is_jit_disabled
from .._runtime.stack import enter
from .._tree.predicates import JAX_ARRAY_TYPES, is_array, is_array_like, is_inexact_array, is_none
from .._tree.prefix import flatten_up_to
from .arguments import Arguments, name_of
from .cache import ANCHOR, Bounded, find_anchor, shared, weak_reference
from .conceal import Concealed, conceal, static_key
from .donation_warning import silenced_donation_warning
from .history import History, Origin
from .options import ById, Donation, JitOptions
from .recent import SELECTED_KINDS, Recent
from .template import StaticArgument, Template

_T = TypeVar("_T")

# Looked up once, because this is the hottest code of the library.
_tree_flatten: Final = tree_flatten
_Struct: Final = jax.ShapeDtypeStruct


#: What JAX raises for an argument that it cannot turn into an array.
_CONVERSION_ERRORS: Final = (TypeError, ValueError, OverflowError)

#: How many calls of one function are recognised at a glance.
_MAX_RECENT: Final = 4

_NOT_SELECTED: Final = "an array that the filter does not select would be static, but arrays cannot be hashed."
_ADVICE: Final = "Give its type `__hash__` and `__eq__`, or pass what it holds as arrays."


class _NotSelectedError(TypeError):
    """A call was taken for one in which other leaves are dynamic."""


class UnhashableLeafError(TypeError, ValueError):
    """A leaf that is to be part of a compiled program cannot be hashed."""


class _Tables:
    """The configurations of one function and one set of options."""

    def __init__(self) -> None:
        #: For calls with positional arguments alone, and for all others: their trees have different shapes.
        self.positional: Bounded[Configuration] = Bounded()
        self.general: Bounded[Configuration] = Bounded()
        self.dispatchers: weakref.WeakSet[Dispatcher] = weakref.WeakSet()

    def histories(self) -> list[History]:
        """What each configuration has been traced for, from the oldest to the newest of each table."""
        configurations = [*self.general.values(), *self.positional.values()]
        return [configuration.history for configuration in configurations]

    def forget_recent(self) -> None:
        for dispatcher in list(self.dispatchers):
            dispatcher.forget_recent()

    def clear(self) -> None:
        self.forget_recent()
        self.positional.clear()
        self.general.clear()


def _uninspected(*arrays: Any) -> Any:
    del arrays
    raise UninspectedError


@dataclasses.dataclass
class Configuration:
    """One compiled function of the dynamic leaves."""

    jitted: Any
    #: The same for calling, with its warnings in order.
    direct: Callable[..., Any]
    history: History
    guard: Guard
    #: The same for calls that are recognised: `direct`, unless there are runtime checks in the program.
    call: Callable[..., Any] = _uninspected

    def trace(self, *arrays: Any) -> Any:
        """Trace the function, and see whether there are runtime checks in it."""
        with self.guard.inspecting():
            traced = self.jitted.trace(*arrays)
        self.guard.inspect(traced.jaxpr)
        self.call = self.guard.wrap(self.direct)
        return traced

    def trace_and_call(self, *arrays: Any) -> Any:
        """Call the function for shapes and dtypes that it may not have been traced for."""
        try:
            return self.call(*arrays)
        except UninspectedError:
            pass
        if is_jit_disabled():
            return self.direct(*arrays)
        with self.guard.inspecting():
            self.trace(*arrays)
            return self.call(*arrays)


class _StaticKey(NamedTuple):
    """What two calls have in common if the same compiled program is right for both."""

    treedef: Hashable
    names: tuple[str, ...]
    leaves: tuple[tuple[int, Hashable], ...]


@dataclasses.dataclass(frozen=True)
class _Call:
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


class Dispatcher:
    """Calls one function through its compiled configurations."""

    def __init__(self, function: Callable[..., Any], options: JitOptions, are_own_structs_arrays: bool = False) -> None:
        def is_own(leaf: Any) -> bool:
            return is_array(leaf) or (are_own_structs_arrays and isinstance(leaf, jax.ShapeDtypeStruct))

        self.function = function
        self.options = options
        self._has_static_arguments = bool(options.static_argnums or options.static_argnames)
        leaves, treedef = _tree_flatten(function)
        self._anchor = find_anchor(leaf for leaf in leaves if not is_own(leaf))
        #: The callable's own arrays are inputs of the compiled program.
        self._own = [leaf for leaf in leaves if is_own(leaf)]
        self._template = Template(treedef, leaves, [is_own(leaf) for leaf in leaves], self._anchor)
        for path, leaf in tree_flatten_with_path(function)[0]:
            if not is_own(leaf) and not _is_hashable(leaf):
                raise UnhashableLeafError(
                    f"Non-hashable static arguments are used in a compiled function: the leaf `{keystr(path)}` of the "
                    f"callable `{name_of(function)}` is static and cannot be hashed. It is {describe(leaf)}. {_ADVICE}"
                )
        key = (treedef, *(None if is_own(leaf) else self._static_key(leaf) for leaf in leaves), options)
        self.tables: _Tables = shared(self._anchor, key, _Tables)
        self._arguments: Arguments | None = None
        #: Leaves of these types are dynamic, or the call is an error.
        self._selected_kinds: frozenset[type] = frozenset()
        if options.predicate is not None and not self._has_static_arguments:
            self._selected_kinds = SELECTED_KINDS[options.predicate]
        #: The last calls; and the last of them as long as all have had the same structure.
        self._recent: tuple[Recent, ...] = ()
        self._only: Recent | None = None
        self.tables.dispatchers.add(self)

    def forget_recent(self) -> None:
        """Look up the next call anew."""
        self._recent = ()
        self._only = None

    @property
    def arguments(self) -> Arguments:
        """The signature of the function; looked at only when needed."""
        if self._arguments is None:
            self._arguments = Arguments(self.function)
        return self._arguments

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function."""
        if self._has_static_arguments:
            return self._look_up(args, kwargs)
        if kwargs:
            args, kwargs = self._canonical(args, kwargs)
        names = tuple(kwargs) if kwargs else ()
        tree = (args, tuple(kwargs.values())) if kwargs else args
        found = None
        leaves: list[Any] = []
        only = self._only
        if only is not None and names == only.names and len(args) == only.count:
            # Flattening and comparing with a structure in one go takes two thirds of the time that the two take. But if
            # they differ, it takes milliseconds, to write an error message. That must not happen twice.
            try:
                leaves = only.treedef.flatten_up_to(tree)
            except Exception:  # noqa: BLE001 # in that message are the representations of arbitrary objects
                self._only = None
            else:
                for recent in self._recent:
                    if recent.has(leaves):
                        found = recent
                        break
        elif self._recent:
            leaves, treedef = _tree_flatten(tree)
            for recent in self._recent:
                if recent.has(leaves) and names == recent.names and treedef == recent.treedef:
                    found = recent
                    break
        if found is None:
            return self._look_up(args, kwargs)
        if found.static:
            leaves = found.pick(leaves)
        try:
            output = found.call(*self._own, *leaves) if self._own else found.call(*leaves)
        except (_NotSelectedError, UninspectedError):
            pass  # not to be the context of an error that comes next
        except _CONVERSION_ERRORS as error:
            call = self._analyse(args, kwargs)
            self._configuration(call)  # raises if what looked dynamic is static and cannot be hashed
            self._locate_unrepresentable(error, call)
            raise
        else:
            return output.reveal() if type(output) is Concealed else output
        return self._look_up(args, kwargs)

    def _look_up(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call that is not just like one of the last."""
        call = self._analyse(args, kwargs)
        configuration = self._configuration(call)
        try:
            output = configuration.trace_and_call(*self._own, *call.dynamic)
        except _CONVERSION_ERRORS as error:
            self._locate_unrepresentable(error, call)
            raise
        if self._selected_kinds and self._selected_kinds.issuperset(map(type, call.dynamic)):
            self._remember(configuration.call, call)
        return output.reveal() if type(output) is Concealed else output

    def _remember(self, compiled: Callable[..., Any], call: _Call) -> None:
        latest = Recent.make(compiled, tuple(call.kwargs), len(call.args), call.treedef, call.leaves, call.mask)
        alike = [call.treedef == recent.treedef and latest.names == recent.names for recent in self._recent]
        # One that would be recognised by the same calls has been traced for other shapes since.
        others = [
            recent
            for recent, is_alike in zip(self._recent, alike, strict=True)
            if not (is_alike and recent.has(call.leaves))
        ]
        self._only = latest if all(alike) else None
        self._recent = (latest, *others[: _MAX_RECENT - 1])

    def split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Hashable]:
        """All dynamic leaves of a call, the callable's own first, and a key of everything static."""
        call = self._analyse(args, kwargs)
        return [*self._own, *call.dynamic], call.key

    def trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Hashable, Guard]:
        """The compiled function as traced for a call by `jax.jit(...).trace`, a key of everything static, and a guard.

        `jax.ShapeDtypeStruct`s may stand for arrays, those of the callable itself included.
        """
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in tree_flatten(self.function)[0]):
            return Dispatcher(self.function, self.options, are_own_structs_arrays=True)._trace(args, kwargs)
        return self._trace(args, kwargs)

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Hashable, Guard]:
        call = self._analyse(args, kwargs, are_structs_arrays=True)
        try:
            with jax.disable_jit(False):
                configuration = self._configuration(call)
                return configuration.trace(*self._own, *call.dynamic), call.key, configuration.guard
        except _CONVERSION_ERRORS as error:
            self._locate_unrepresentable(error, call, may_be_structs=True)
            raise

    def look_back(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[History, list[Any]]:
        """What calls like this one have been traced for, and what this one would be traced for.

        `jax.ShapeDtypeStruct`s may stand for arrays.
        """
        call = self._analyse(args, kwargs, are_structs_arrays=True)
        self.arguments.check(call.args, call.kwargs)
        configuration = self._find(call)
        history = self._history(call) if configuration is None else configuration.history
        return history, [*self._own, *call.dynamic]

    def difference(self, key: Hashable, other_key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Describe how the static part of this call, whose key is `other_key`, differs from that with another key."""
        first, second = cast(_StaticKey, key), cast(_StaticKey, other_key)
        if first.treedef != second.treedef:
            return f"the structure was {first.treedef}, and is {second.treedef}"
        places = self.arguments.locate_leaves(*self._canonical(args, kwargs))
        was, now = dict(first.leaves), dict(second.leaves)
        for i in sorted({*was, *now}):
            if was.get(i) != now.get(i):
                return f"{places[i]} was {_show_key(was.get(i))}, and is {_show_key(now.get(i))}"
        return "the names of the keyword arguments differ"

    def _analyse(self, args: tuple[Any, ...], kwargs: dict[str, Any], are_structs_arrays: bool = False) -> _Call:
        args, kwargs = self._canonical(args, kwargs)
        leaves, treedef = _tree_flatten((args, tuple(kwargs.values())) if kwargs else args)
        mask = self._mask(leaves, args, kwargs)
        if are_structs_arrays:
            mask = [dynamic or isinstance(leaf, _Struct) for dynamic, leaf in zip(mask, leaves, strict=True)]
        dynamic = [leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic]
        # Never the treedef alone: to `!=`, a treedef differs from nothing that is not a treedef.
        static = tuple((i, self._static_key(leaf)) for i, leaf in enumerate(leaves) if not mask[i])
        key = _StaticKey(treedef, tuple(kwargs), static)
        return _Call(args, kwargs, leaves, treedef, mask, dynamic, key)

    def _configuration(self, call: _Call) -> Configuration:
        configuration = self._find(call)
        return self._table(call).add(call.key, self._configure(call)) if configuration is None else configuration

    def _find(self, call: _Call) -> Configuration | None:
        try:
            return self._table(call).get(call.key)
        except TypeError:
            raise self._unhashable(call) from None

    def _table(self, call: _Call) -> Bounded[Configuration]:
        return self.tables.general if call.kwargs else self.tables.positional

    def _canonical(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = self.arguments.canonical(args, kwargs)
        if self._has_static_arguments:
            positions, names = self.arguments.resolve(
                self.options.static_argnums, self.options.static_argnames, len(args)
            )
            args = tuple(StaticArgument(arg) if i in positions else arg for i, arg in enumerate(args))
            kwargs = {name: StaticArgument(arg) if name in names else arg for name, arg in kwargs.items()}
        return args, kwargs

    def _mask(self, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[bool]:
        """Which leaves are dynamic."""
        predicate = self.options.predicate
        if predicate is not None:
            return [predicate(leaf) for leaf in leaves]
        assert self.options.selection is not None
        inputs = [tree for tree in (*args, *kwargs.values()) if type(tree) is not StaticArgument]
        selectable = leaves
        if self._has_static_arguments:
            selectable = [leaf for leaf in leaves if type(leaf) is not StaticArgument]
        mask = self.options.selection.mask(selectable, lambda: self._selectable_names(args, kwargs), inputs)
        if self._has_static_arguments:
            answers = iter(mask)
            mask = [type(leaf) is not StaticArgument and next(answers) for leaf in leaves]
        return mask

    def _selectable_names(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        inputs = [*zip(self.arguments.names(len(args)), args, strict=True), *kwargs.items()]
        return [name for name, tree in inputs if type(tree) is not StaticArgument]

    def _static_key(self, leaf: Any) -> Hashable:
        if leaf is self._anchor and leaf is not None:
            return ANCHOR
        if type(leaf) is StaticArgument:
            return StaticArgument, static_key(leaf.value)
        key: Hashable = static_key(leaf)
        return key

    def _history(self, call: _Call) -> History:
        """A history for a call that is the first of its kind."""
        origin = Origin(
            function_name=self.arguments.function_name,
            options=self.options,
            callable=self._template,
            arguments=Template(call.treedef, call.leaves, call.mask, self._anchor),
            names=self.arguments.names(len(call.args)),
            keywords=tuple(call.kwargs),
            anchor=None if self._anchor is None else weak_reference(self._anchor),
        )
        return History(origin, self.tables)

    def _configure(self, call: _Call) -> Configuration:
        """Make the configuration for a call that is the first of its kind."""
        self.arguments.check(call.args, call.kwargs)
        history = self._history(call)
        own, given = history.origin.callable, history.origin.arguments
        names, anchor = history.origin.keywords, history.origin.anchor
        is_output = self.options.is_output
        # Calls are recognised by the types of their leaves, which here do not decide; but another dtype is a new trace.
        is_selective = self.options.predicate is is_inexact_array
        keeps_structure = any(name == "out_shardings" for name, _ in self.options.jit)
        guard = Guard(self.tables.forget_recent)

        def traced(*arrays: Any) -> Any:
            guard.before_trace()
            if is_selective and not all(map(is_inexact_array, arrays[own.hole_count :])):
                raise _NotSelectedError(f"`{traced.__name__}`: {_NOT_SELECTED}")
            function = own.fill(arrays[: own.hole_count])
            arguments = given.fill(arrays[own.hole_count :])
            if names:
                positional, by_keyword = arguments
                output = enter(guard.program, function, *positional, **dict(zip(names, by_keyword, strict=True)))
            else:
                output = enter(guard.program, function, *arguments)
            if is_jit_disabled():  # without a trace there is no treedef in which leaves could be concealed
                return output
            history.add(arrays)
            return conceal(output, is_output, anchor, in_place=keeps_structure)

        traced.__name__ = traced.__qualname__ = self.arguments.function_name
        options: dict[str, Any] = {
            name: value.value if type(value) is ById else value for name, value in self.options.jit
        }
        if "in_shardings" in options:
            options["in_shardings"] = self._leaf_shardings(options["in_shardings"], call)
        donation = self.options.donation
        if donation is None:
            jitted = jax.jit(traced, **options)
            return Configuration(jitted, jitted, history, guard)
        jitted = jax.jit(traced, donate_argnums=self._donated(donation, call), **options)
        direct = _without_donation_warning(jitted) if donation.is_silent else jitted
        return Configuration(jitted, direct, history, guard)

    def _donated(self, donation: Donation, call: _Call) -> tuple[int, ...]:
        """The positions, among all dynamic leaves, of those to donate."""
        owners: list[int | str | None] = [None] * len(self._own)
        owners += call.of_dynamic_leaves([*range(len(call.args)), *call.kwargs])
        if donation.arguments is None:
            first = 0 if call.args else next(iter(call.kwargs), "")
            return tuple(i for i, owner in enumerate(owners) if not (donation.except_first and owner == first))
        indices = tuple(i for i in donation.arguments if isinstance(i, int))
        argument_names = tuple(name for name in donation.arguments if isinstance(name, str))
        positions, names = self.arguments.resolve(indices, argument_names, len(call.args))
        return tuple(i for i, owner in enumerate(owners) if owner in positions or owner in names)

    def _leaf_shardings(self, prefix: Any, call: _Call) -> tuple[Any, ...]:
        """One sharding for each dynamic leaf, from a prefix of the tuple of positional arguments."""
        # As in `jax.jit`, static arguments are left out.
        args = tuple(arg for arg in call.args if type(arg) is not StaticArgument)
        found, subtrees, _ = flatten_up_to(
            _list_as_tuple(prefix),
            args,
            argument="in_shardings",
            tree_argument="args",
            is_leaf=is_none,
        )
        given = iter(
            [
                sharding
                for sharding, subtree in zip(found, subtrees, strict=True)
                for _ in range(tree_structure(subtree).num_leaves)
            ]
        )
        # What is passed by keyword comes last, and has none.
        shardings = [None if type(leaf) is StaticArgument else next(given, None) for leaf in call.leaves]
        of_dynamic = [sharding for sharding, is_dynamic in zip(shardings, call.mask, strict=True) if is_dynamic]
        return (*[None] * len(self._own), *of_dynamic)

    def _unhashable(self, call: _Call) -> UnhashableLeafError:
        """The error for a call with a static leaf that cannot be hashed."""
        places = self.arguments.locate_leaves(call.args, call.kwargs)
        for leaf, is_dynamic, place in zip(call.leaves, call.mask, places, strict=True):
            value = leaf.value if type(leaf) is StaticArgument else leaf
            if is_dynamic or _is_hashable(value):
                continue
            if type(leaf) is StaticArgument:
                advice = "An argument in `static_argnums` or `static_argnames` must be hashable."
            elif is_array_like(value):
                advice = "To trace it instead, use a filter that selects arrays, such as `is_array_like` or `is_array`."
            else:
                advice = _ADVICE
            return UnhashableLeafError(
                f"Non-hashable static arguments are used in a compiled function: {place} of "
                f"`{self.arguments.function_name}` is static and cannot be hashed. It is {describe(value)}. {advice}"
            )
        return UnhashableLeafError(
            "Non-hashable static arguments are used in a compiled function: a static field of a node in the arguments "
            f"of `{self.arguments.function_name}` cannot be hashed."
        )

    def _locate_unrepresentable(self, error: Exception, call: _Call, may_be_structs: bool = False) -> None:
        """Say so if the reason for the error is a leaf that was selected for tracing but that JAX cannot trace."""
        places = self.arguments.locate_leaves(call.args, call.kwargs)
        for leaf, is_dynamic, place in zip(call.leaves, call.mask, places, strict=True):
            if may_be_structs and isinstance(leaf, _Struct):
                continue
            if is_dynamic and type(leaf) not in JAX_ARRAY_TYPES and not _is_representable(leaf):
                kind = next(kind for kind in _CONVERSION_ERRORS if isinstance(error, kind))
                raise kind(
                    f"{error}\nThe filter selected {place} of `{self.arguments.function_name}` to be traced, which is "
                    f"{describe(leaf)}, not something that JAX can trace. A filter that says no to it leaves it static."
                ) from error


def _list_as_tuple(value: Any) -> Any:
    as_list: Any = list
    return tuple(value) if type(value) is as_list else value


def _is_representable(leaf: Any) -> bool:
    if not is_array_like(leaf):
        return False
    try:
        jax.eval_shape(_identity, leaf)
    except _CONVERSION_ERRORS:
        return False
    return True


def _identity(leaf: _T) -> _T:
    return leaf


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _without_donation_warning(jitted: Any) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        with silenced_donation_warning():
            return jitted(*arrays)

    return call


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
