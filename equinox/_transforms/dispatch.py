"""From a call to a compiled program: split the leaves, look up the configuration, call JAX.

A *configuration* is what the static leaves and the structure of the arguments amount to; there is one `jax.jit` for
each, over the flat list of dynamic leaves. Which shapes and dtypes it has been compiled for is JAX's business.

The steps of a call are: flatten the arguments once; pick out the dynamic leaves; find the configuration in a
dictionary, keyed by the treedef and the static leaves; call it. Nothing is copied, nothing dynamic is kept.
"""

import dataclasses
import operator
import weakref
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import jax
import numpy as np

from .._errors import describe
from .._jax_tree import PyTreeDef, keystr, tree_flatten, tree_flatten_with_path, tree_structure
from .._tree.predicates import JAX_ARRAY_TYPES, is_array, is_array_like, is_none
from .._tree.prefix import flatten_up_to
from .arguments import Arguments, name_of
from .cache import ANCHOR, Bounded, find_anchor, shared, weak_reference
from .conceal import conceal, static_key
from .donation_warning import silenced_donation_warning
from .selection import Selection
from .template import StaticArgument, Template

_T = TypeVar("_T")

# Looked up once, because this is the hottest code of the library.
_tree_flatten: Final = tree_flatten
_Struct: Final = jax.ShapeDtypeStruct

_ARRAY_KINDS: Final = JAX_ARRAY_TYPES | {np.ndarray}
_ARRAY_LIKE_KINDS: Final = _ARRAY_KINDS | {bool, int, float, complex}


#: What JAX raises for an argument that it cannot turn into an array.
_CONVERSION_ERRORS: Final = (TypeError, ValueError, OverflowError)

_ADVICE: Final = "Give its type `__hash__` and `__eq__`, or pass what it holds as arrays."


class UnhashableLeafError(TypeError, ValueError):
    """A leaf that is to be part of a compiled program cannot be hashed."""


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

    #: Which leaves are traced: a predicate that is known to say yes to every JAX array, or any other selection.
    predicate: Callable[[Any], bool] | None
    selection: Selection | None
    #: Which leaves of the output JAX returns; the others come back as the objects they are.
    is_output: Callable[[Any], bool]
    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()
    donation: Donation | None = None
    #: Options for `jax.jit`, with `ById` around those that cannot be hashed.
    jit: tuple[tuple[str, Hashable], ...] = ()


class _Tables:
    """The configurations of one function and one set of options."""

    def __init__(self) -> None:
        #: For calls with positional arguments alone, and for all others: their trees have different shapes.
        self.positional: Bounded[Configuration] = Bounded()
        self.general: Bounded[Configuration] = Bounded()
        self.dispatchers: weakref.WeakSet[Dispatcher] = weakref.WeakSet()

    def clear(self) -> None:
        for dispatcher in list(self.dispatchers):
            dispatcher.forget_recent()
        self.positional.clear()
        self.general.clear()


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One compiled function of the dynamic leaves."""

    jitted: Any
    #: The same for calling, with its warnings in order.
    call: Callable[..., Any]


class _StaticKey(NamedTuple):
    """What two calls have in common if the same compiled program is right for both.

    Where all leaves are dynamic and all arguments are passed by position, that is the treedef alone.
    """

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


@dataclasses.dataclass(frozen=True)
class _Recent:
    """What a call looks like that is treated like the one before: found without building a key.

    The types of all its leaves are the same, and its static leaves are the same objects.
    """

    call: Callable[..., Any]
    names: tuple[str, ...]
    treedef: PyTreeDef
    kinds: list[type]
    static: tuple[tuple[int, Any], ...]
    #: Picks out the dynamic leaves, if there are others.
    pick: Callable[[list[Any]], Any]

    @classmethod
    def make(cls, compiled: Callable[..., Any], call: _Call, dynamic_kinds: frozenset[type]) -> "_Recent | None":
        """Remember a call, if the types of its dynamic leaves are such that they are always dynamic."""
        dynamic = [i for i, is_dynamic in enumerate(call.mask) if is_dynamic]
        if not dynamic_kinds.issuperset(map(type, call.dynamic)):
            return None
        static = tuple((i, leaf) for i, leaf in enumerate(call.leaves) if not call.mask[i])
        # With one position or none, `itemgetter` returns no tuple.
        pick = operator.itemgetter(*dynamic) if len(dynamic) > 1 else partial(_pick, dynamic)
        return cls(compiled, tuple(call.kwargs), call.treedef, list(map(type, call.leaves)), static, pick)


def _pick(positions: list[int], leaves: list[Any]) -> list[Any]:
    return [leaves[position] for position in positions]


class Dispatcher:
    """Calls one function through its compiled configurations."""

    def __init__(self, function: Callable[..., Any], options: JitOptions) -> None:
        self.function = function
        self.options = options
        self._has_static_arguments = bool(options.static_argnums or options.static_argnames)
        leaves, treedef = _tree_flatten(function)
        self._anchor = find_anchor(leaf for leaf in leaves if not is_array(leaf))
        #: The callable's own arrays are inputs of the compiled program.
        self._own = [leaf for leaf in leaves if is_array(leaf)]
        self._template = Template(treedef, leaves, [is_array(leaf) for leaf in leaves], self._anchor)
        for path, leaf in tree_flatten_with_path(function)[0]:
            if not is_array(leaf) and not _is_hashable(leaf):
                raise UnhashableLeafError(
                    f"Non-hashable static arguments are used in a compiled function: the leaf `{keystr(path)}` of the "
                    f"callable `{name_of(function)}` is static and cannot be hashed. It is {describe(leaf)}. {_ADVICE}"
                )
        key = (treedef, *(None if is_array(leaf) else self._static_key(leaf) for leaf in leaves), options)
        self.tables = shared(self._anchor, key, _Tables)
        self._arguments: Arguments | None = None
        #: Leaves of these types are dynamic whatever their values are.
        self._recent_kinds = None
        if options.predicate is not None and not self._has_static_arguments:
            self._recent_kinds = _ARRAY_KINDS if options.predicate is is_array else _ARRAY_LIKE_KINDS
        self._recent: _Recent | None = None

        self.tables.dispatchers.add(self)

    def forget_recent(self) -> None:
        """Look up the next call anew."""
        self._recent = None

    @property
    def arguments(self) -> Arguments:
        """The signature of the function; looked at only when needed."""
        if self._arguments is None:
            self._arguments = Arguments(self.function)
        return self._arguments

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recent = self._recent
        if recent is None:
            return self._look_up(args, kwargs)
        if kwargs:
            args, kwargs = self._canonical(args, kwargs)
        if kwargs or recent.names:
            if tuple(kwargs) != recent.names:
                return self._look_up(args, kwargs)
            leaves, treedef = _tree_flatten((args, tuple(kwargs.values())))
        else:
            leaves, treedef = _tree_flatten(args)
        if list(map(type, leaves)) != recent.kinds or treedef != recent.treedef:
            return self._look_up(args, kwargs)
        if recent.static:
            for position, leaf in recent.static:
                if leaves[position] is not leaf:
                    return self._look_up(args, kwargs)
            leaves = recent.pick(leaves)
        try:
            return recent.call(*self._own, *leaves)
        except _CONVERSION_ERRORS as error:
            self._locate_unrepresentable(error, self._analyse(args, kwargs))
            raise

    def _look_up(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call that is not just like the one before."""
        call = self._analyse(args, kwargs)
        configuration = self._configuration(call)
        if self._recent_kinds is not None:
            self._recent = _Recent.make(configuration.call, call, self._recent_kinds)
        try:
            return configuration.call(*self._own, *call.dynamic)
        except _CONVERSION_ERRORS as error:
            self._locate_unrepresentable(error, call)
            raise

    def split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Hashable]:
        """All dynamic leaves of a call, the callable's own first, and a key of everything static."""
        call = self._analyse(args, kwargs)
        return [*self._own, *call.dynamic], call.key

    def ahead_of_time(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any], Hashable]:
        """The compiled function for a call, its arguments, and a key of everything static.

        `jax.ShapeDtypeStruct`s may stand for arrays.
        """
        call = self._analyse(args, kwargs, are_structs_arrays=True)
        return self._configuration(call).jitted, [*self._own, *call.dynamic], call.key

    def difference(self, key: Hashable, other_key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Describe how the static part of this call, whose key is `other_key`, differs from that with another key."""
        first, second = (k if isinstance(k, _StaticKey) else _StaticKey(k, (), ()) for k in (key, other_key))
        if first.treedef != second.treedef:
            return f"the structure was {first.treedef}, and is {second.treedef}"
        places = self.arguments.locate_leaves(args, kwargs)
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
        key: Hashable = treedef
        if len(dynamic) != len(leaves) or kwargs:
            static = [(i, self._static_key(leaf)) for i, leaf in enumerate(leaves) if not mask[i]]
            key = _StaticKey(treedef, tuple(kwargs), tuple(static))
        return _Call(args, kwargs, leaves, treedef, mask, dynamic, key)

    def _configuration(self, call: _Call) -> Configuration:
        table = self.tables.general if call.kwargs else self.tables.positional
        try:
            configuration = table.get(call.key)
        except TypeError:
            raise self._unhashable(call) from None
        return table.add(call.key, self._configure(call)) if configuration is None else configuration

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

    def _configure(self, call: _Call) -> Configuration:
        """Make the configuration for a call that is the first of its kind."""
        self.arguments.check(call.args, call.kwargs)
        own = self._template
        given = Template(call.treedef, call.leaves, call.mask, self._anchor)
        names = tuple(call.kwargs)
        is_output = self.options.is_output
        anchor = None if self._anchor is None else weak_reference(self._anchor)

        def traced(*arrays: Any) -> Any:
            function = own.fill(arrays[: own.hole_count])
            arguments = given.fill(arrays[own.hole_count :])
            if names:
                positional, by_keyword = arguments
                output = function(*positional, **dict(zip(names, by_keyword, strict=True)))
            else:
                output = function(*arguments)
            # Without a trace there is no treedef in which leaves could be concealed.
            return output if _is_jit_disabled() else conceal(output, is_output, anchor)

        traced.__name__ = traced.__qualname__ = self.arguments.function_name
        options: dict[str, Any] = {
            name: value.value if type(value) is ById else value for name, value in self.options.jit
        }
        if "in_shardings" in options:
            options["in_shardings"] = self._leaf_shardings(options["in_shardings"], call)
        donation = self.options.donation
        if donation is None:
            jitted = jax.jit(traced, **options)
            return Configuration(jitted, jitted)
        jitted = jax.jit(traced, donate_argnums=self._donated(donation, call), **options)
        return Configuration(jitted, _without_donation_warning(jitted) if donation.is_silent else jitted)

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

    def _locate_unrepresentable(self, error: Exception, call: _Call) -> None:
        """Say so if the reason for the error is a leaf that was selected for tracing but that JAX cannot trace."""
        places = self.arguments.locate_leaves(call.args, call.kwargs)
        for leaf, is_dynamic, place in zip(call.leaves, call.mask, places, strict=True):
            if is_dynamic and type(leaf) not in JAX_ARRAY_TYPES and not _is_representable(leaf):
                kind = next(kind for kind in _CONVERSION_ERRORS if isinstance(error, kind))
                raise kind(
                    f"{error}\nThe filter selected {place} of `{self.arguments.function_name}` to be traced, which is "
                    f"{describe(leaf)}, not something that JAX can trace. A filter that says no to it leaves it static."
                ) from error


def _list_as_tuple(value: Any) -> Any:
    as_list: Any = list
    return tuple(value) if type(value) is as_list else value


def _is_jit_disabled() -> bool:
    return bool(getattr(jax.config, "jax_disable_jit"))  # noqa: B009 # JAX's types do not have its options


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
    return "the function itself" if key is ANCHOR else describe(key[-1])
