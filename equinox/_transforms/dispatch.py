"""From a call to a compiled program: split the leaves, look up the configuration, call JAX.

A *configuration* is what the static leaves and the structure of the arguments amount to; there is one `jax.jit` for each,
over the flat list of dynamic leaves. Which shapes and dtypes it has been compiled for is JAX's business.

The steps of a call are: flatten the arguments once; pick out the dynamic leaves; find the configuration in a dictionary,
keyed by the treedef and the static leaves; call it. Nothing is copied, nothing dynamic is kept.
"""

import dataclasses
import operator
import types
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import jax
import jax.tree_util as jtu

from .._errors import describe
from .._tree.predicates import is_array, is_array_like
from .arguments import Arguments
from .cache import ANCHOR, Bounded, shared
from .conceal import conceal, static_key
from .selection import Selection
from .template import StaticArgument, Template


_T = TypeVar("_T")

_tree_flatten: Final = jtu.tree_flatten
#: The type of concrete JAX arrays. Comparing exact types is many times faster than `isinstance(leaf, jax.Array)`.
_ARRAY_TYPE: Final = jax.Array.__subclasses__()[0]


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

    def clear(self) -> None:
        self.positional.clear()
        self.general.clear()


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One compiled function of the dynamic leaves."""

    jitted: Any
    #: The same for calling, with its warnings in order.
    call: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class _Recent:
    """What a call looks like that is treated like the one before: found without building a key.

    All its dynamic leaves are concrete JAX arrays, and its static leaves are the same objects.
    """

    call: Callable[..., Any]
    treedef: Any
    #: The types of all leaves.
    kinds: list[type]
    static: tuple[tuple[int, Any], ...]
    #: Picks out the dynamic leaves, if there are others.
    pick: Callable[[list[Any]], Sequence[Any]]

    @classmethod
    def make(cls, call: Callable[..., Any], treedef: Any, leaves: list[Any], mask: list[bool]) -> "_Recent | None":
        kinds = list(map(type, leaves))
        dynamic = [i for i, is_dynamic in enumerate(mask) if is_dynamic]
        if any(kinds[i] is not _ARRAY_TYPE for i in dynamic):
            return None
        static = tuple((i, leaf) for i, leaf in enumerate(leaves) if not mask[i])
        # With one position or none, `itemgetter` returns no tuple.
        pick = operator.itemgetter(*dynamic) if len(dynamic) > 1 else partial(_pick, dynamic)
        return cls(call, treedef, kinds, static, pick)


def _pick(positions: list[int], leaves: list[Any]) -> list[Any]:
    return [leaves[position] for position in positions]


class Dispatcher:
    """Calls one function through its compiled configurations."""

    def __init__(self, function: Callable[..., Any], options: JitOptions) -> None:
        self.function = function
        self.options = options
        self._has_static_arguments = bool(options.static_argnums or options.static_argnames)
        leaves, treedef = _tree_flatten(function)
        self._anchor = next((leaf for leaf in leaves if type(leaf) is types.FunctionType), None)
        #: The callable's own arrays are inputs of the compiled program.
        self._own = [leaf for leaf in leaves if is_array(leaf)]
        self._template = Template(treedef, leaves, [is_array(leaf) for leaf in leaves], self._anchor)
        key = (treedef, *(None if is_array(leaf) else self._static_key(leaf) for leaf in leaves), options)
        try:
            self.tables = shared(self._anchor, key, _Tables)
        except TypeError:  # a callable that cannot be hashed shares with no other
            self.tables = _Tables()
        self._arguments: Arguments | None = None
        #: Whether the types of the leaves decide which of them are dynamic.
        self._recent_is_enough = options.predicate is not None and not self._has_static_arguments
        self._recent: _Recent | None = None

    @property
    def arguments(self) -> Arguments:
        """The signature of the function; looked at only when needed."""
        if self._arguments is None:
            self._arguments = Arguments(self.function)
        return self._arguments

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recent = self._recent
        if kwargs or recent is None:
            return self._look_up(args, kwargs)
        leaves, treedef = _tree_flatten(args)
        if list(map(type, leaves)) != recent.kinds or treedef != recent.treedef:
            return self._look_up(args, kwargs)
        if recent.static:
            for position, leaf in recent.static:
                if leaves[position] is not leaf:
                    return self._look_up(args, kwargs)
            leaves = recent.pick(leaves)
        return recent.call(*self._own, *leaves) if self._own else recent.call(*leaves)

    def _look_up(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call that is not just like the one before."""
        args, kwargs = self._canonical(args, kwargs)
        leaves, treedef = _tree_flatten((args, tuple(kwargs.values())) if kwargs else args)
        mask = self._mask(leaves, args, kwargs)
        dynamic, key = self._split_by(mask, leaves, treedef, kwargs)
        table = self.tables.general if kwargs else self.tables.positional
        try:
            configuration = table.get(key)
        except TypeError:
            raise self._unhashable(leaves, args, kwargs) from None
        if configuration is None:
            configuration = table.add(key, self._configure(leaves, treedef, mask, args, kwargs))
        if self._recent_is_enough and not kwargs:
            self._recent = _Recent.make(configuration.call, treedef, leaves, mask)
        try:
            return configuration.call(*self._own, *dynamic)
        except TypeError as error:
            self._locate_unrepresentable(error, leaves, args, kwargs)
            raise

    def split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, are_structs_arrays: bool = False
    ) -> tuple[list[Any], Hashable]:
        """All dynamic leaves of a call, the callable's own first, and a key of everything static."""
        return self._analyse(args, kwargs, are_structs_arrays)[:2]

    def ahead_of_time(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Configuration, list[Any], Hashable]:
        """The configuration for a call, all its dynamic leaves, and a key of everything static.

        `jax.ShapeDtypeStruct`s may stand for arrays.
        """
        dynamic, key, configure = self._analyse(args, kwargs, are_structs_arrays=True)
        return configure(), dynamic, key

    def _analyse(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], are_structs_arrays: bool
    ) -> tuple[list[Any], Hashable, Callable[[], Configuration]]:
        args, kwargs = self._canonical(args, kwargs)
        leaves, treedef = _tree_flatten((args, tuple(kwargs.values())) if kwargs else args)
        mask = [
            is_dynamic or (are_structs_arrays and isinstance(leaf, jax.ShapeDtypeStruct))
            for leaf, is_dynamic in zip(leaves, self._mask(leaves, args, kwargs), strict=True)
        ]
        dynamic, key = self._split_by(mask, leaves, treedef, kwargs)
        try:
            hash(key)
        except TypeError:
            raise self._unhashable(leaves, args, kwargs) from None
        return self._own + dynamic, key, lambda: self._configure(leaves, treedef, mask, args, kwargs)

    def _canonical(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = self.arguments.canonical(args, kwargs)
        if self._has_static_arguments:
            positions, names = self.arguments.resolve(
                self.options.static_argnums, self.options.static_argnames, len(args)
            )
            args = tuple(StaticArgument(arg) if i in positions else arg for i, arg in enumerate(args))
            kwargs = {name: StaticArgument(arg) if name in names else arg for name, arg in kwargs.items()}
        return args, kwargs

    def _split_by(
        self, mask: list[bool], leaves: list[Any], treedef: Any, kwargs: dict[str, Any]
    ) -> tuple[list[Any], Hashable]:
        dynamic = [leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic]
        if len(dynamic) == len(leaves):
            return dynamic, (treedef, tuple(kwargs)) if kwargs else treedef
        static = [
            (i, self._static_key(leaf))
            for i, (leaf, is_dynamic) in enumerate(zip(leaves, mask, strict=True))
            if not is_dynamic
        ]
        return dynamic, (treedef, tuple(kwargs), *static)

    def _mask(self, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[bool]:
        """Which leaves are dynamic."""
        predicate = self.options.predicate
        if predicate is not None:
            return [type(leaf) is _ARRAY_TYPE or predicate(leaf) for leaf in leaves]
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
        if leaf is self._anchor:
            return ANCHOR
        if type(leaf) is StaticArgument:
            return StaticArgument, static_key(leaf.value)
        key: Hashable = static_key(leaf)
        return key

    def _configure(
        self, leaves: list[Any], treedef: Any, mask: list[bool], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Configuration:
        """Make the configuration for a call that is the first of its kind."""
        self.arguments.check(args, kwargs)
        own = self._template
        given = Template(treedef, leaves, mask, self._anchor)
        names = tuple(kwargs)
        is_output = self.options.is_output

        def traced(*arrays: Any) -> Any:
            function = own.fill(arrays[: own.hole_count])
            arguments = given.fill(arrays[own.hole_count :])
            if names:
                positional, by_keyword = arguments
                output = function(*positional, **dict(zip(names, by_keyword, strict=True)))
            else:
                output = function(*arguments)
            # Without a trace there is no treedef in which leaves could be concealed.
            return output if jax.config.jax_disable_jit else conceal(output, is_output)

        traced.__name__ = traced.__qualname__ = self.arguments.function_name
        options: dict[str, Any] = {
            name: value.value if type(value) is ById else value for name, value in self.options.jit
        }
        if "in_shardings" in options:
            options["in_shardings"] = self._leaf_shardings(options["in_shardings"], mask, args, kwargs)
        donation = self.options.donation
        if donation is None:
            jitted = jax.jit(traced, **options)
            return Configuration(jitted, jitted)
        jitted = jax.jit(traced, donate_argnums=self._donated(donation, mask, args, kwargs), **options)
        return Configuration(jitted, _without_donation_warning(jitted) if donation.is_silent else jitted)

    def _donated(
        self, donation: Donation, mask: list[bool], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[int, ...]:
        """The positions, among all dynamic leaves, of those to donate."""
        owners: list[int | str | None] = [None] * len(self._own)
        owners += [
            owner
            for owner, is_dynamic in zip(
                _spread_over_leaves([*range(len(args)), *kwargs], args, kwargs), mask, strict=True
            )
            if is_dynamic
        ]
        if donation.arguments is None:
            first = 0 if args else next(iter(kwargs), None)
            kept = {first} - {None} if donation.except_first else set()
            return tuple(i for i, owner in enumerate(owners) if owner not in kept)
        indices = tuple(i for i in donation.arguments if isinstance(i, int))
        argument_names = tuple(name for name in donation.arguments if isinstance(name, str))
        positions, names = self.arguments.resolve(indices, argument_names, len(args))
        return tuple(i for i, owner in enumerate(owners) if owner in positions or owner in names)

    def _leaf_shardings(
        self, prefix: Any, mask: list[bool], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        """One sharding for each dynamic leaf, from shardings for a prefix of the tuple of positional arguments."""

        def spread(sharding: Any, tree: Any) -> list[Any]:
            return [sharding] * jtu.tree_structure(tree).num_leaves

        def is_none(node: Any) -> bool:
            return node is None

        if is_none(prefix) or isinstance(prefix, jax.sharding.Sharding):
            of_leaves = spread(prefix, args)
        else:
            lists = jtu.tree_map(spread, tuple(prefix), args, is_leaf=is_none)
            of_leaves = [
                sharding
                for shardings in jtu.tree_leaves(lists, is_leaf=lambda node: type(node) is list)
                for sharding in shardings
            ]
        of_leaves += spread(None, tuple(kwargs.values()))
        selected = [sharding for sharding, is_dynamic in zip(of_leaves, mask, strict=True) if is_dynamic]
        return (*[None] * len(self._own), *selected)

    def _unhashable(self, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> UnhashableLeafError:
        """The error for a call with a static leaf that cannot be hashed."""
        mask = self._mask(leaves, args, kwargs)
        places = self.arguments.locate_leaves(args, kwargs)
        for leaf, is_dynamic, place in zip(leaves, mask, places, strict=True):
            value = leaf.value if type(leaf) is StaticArgument else leaf
            if is_dynamic or _is_hashable(value):
                continue
            if type(leaf) is StaticArgument:
                advice = "An argument in `static_argnums` or `static_argnames` must be hashable."
            elif is_array_like(value):
                advice = "To trace it instead, use a filter that selects arrays, such as `is_array_like` or `is_array`."
            else:
                advice = "Give its type `__hash__` and `__eq__`, or pass what it holds as arrays."
            return UnhashableLeafError(
                f"Non-hashable static arguments are used in a compiled function: {place} of "
                f"`{self.arguments.function_name}` is static and cannot be hashed. It is {describe(value)}. {advice}"
            )
        return UnhashableLeafError(
            "Non-hashable static arguments are used in a compiled function: a static field of a node in the arguments of "
            f"`{self.arguments.function_name}` cannot be hashed."
        )

    def _locate_unrepresentable(
        self, error: TypeError, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """If the reason for the error is a leaf that was selected for tracing but is nothing that JAX can trace, say so."""
        mask = self._mask(leaves, args, kwargs)
        for leaf, is_dynamic, place in zip(leaves, mask, self.arguments.locate_leaves(args, kwargs), strict=True):
            if is_dynamic and not is_array_like(leaf) and not isinstance(leaf, jax.ShapeDtypeStruct):
                raise TypeError(
                    f"{error}\nThe filter selected {place} of `{self.arguments.function_name}` to be traced, which is "
                    f"{describe(leaf)}, not something that JAX can trace. A filter such as `is_array_like` leaves it static."
                ) from error


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _without_donation_warning(jitted: Any) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Some donated buffers were not usable")
            return jitted(*arrays)

    return call


def _spread_over_leaves(values: Sequence[_T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[_T]:
    """Repeat the value of each argument for each of its leaves."""
    trees = (*args, *kwargs.values())
    return [value for value, tree in zip(values, trees, strict=True) for _ in jtu.tree_leaves(tree)]
