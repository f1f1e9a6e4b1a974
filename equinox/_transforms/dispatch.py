"""From a call to a compiled program: split the leaves, look up the configuration, call JAX.

A *configuration* is what the static leaves and the structure of the arguments amount to; there is one `jax.jit` for
each, over the flat list of dynamic leaves. Which shapes and dtypes it has been compiled for is JAX's business.

The steps of a call are: flatten the arguments once; pick out the dynamic leaves; find the configuration in a
dictionary, keyed by the treedef and the static leaves; call it. Nothing is copied, nothing dynamic is kept.
"""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, Final

import jax

from .._errors import describe, is_hashable
from .._jax_tree import keystr, tree_flatten, tree_flatten_with_path
from .._runtime.guard import Guard, UninspectedError
from .._tree.predicates import is_array
from .arguments import Arguments, name_of
from .cache import Bounded, find_anchor, shared, weak_reference
from .calls import ADVICE, CALL_ERRORS, CONVERSION_ERRORS, Call, CallReader, UnhashableLeafError
from .conceal import Concealed
from .configuration import Configuration, NotSelectedError, configure
from .history import History, Origin
from .options import JitOptions
from .recent import SELECTED_KINDS, Recent
from .template import Template

# Looked up once, because this is the hottest code of the library.
_tree_flatten: Final = tree_flatten

#: How many calls of one function are recognised at a glance.
_MAX_RECENT: Final = 4


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


class Dispatcher:
    """Calls one function through its compiled configurations."""

    def __init__(self, function: Callable[..., Any], options: JitOptions, are_own_structs_arrays: bool = False) -> None:
        def is_own(leaf: Any) -> bool:
            return is_array(leaf) or (are_own_structs_arrays and isinstance(leaf, jax.ShapeDtypeStruct))

        self.function = function
        self.options = options
        leaves, treedef = _tree_flatten(function)
        self._anchor = find_anchor(leaf for leaf in leaves if not is_own(leaf))
        self._reader = CallReader(function, options, self._anchor)
        self._has_static_arguments = self._reader.has_static_arguments
        #: The callable's own arrays are inputs of the compiled program.
        self._own = [leaf for leaf in leaves if is_own(leaf)]
        self._template = Template(treedef, leaves, [is_own(leaf) for leaf in leaves], self._anchor)
        for path, leaf in tree_flatten_with_path(function)[0]:
            if not is_own(leaf) and not is_hashable(leaf):
                raise UnhashableLeafError(
                    f"Non-hashable static arguments are used in a compiled function: the leaf `{keystr(path)}` of the "
                    f"callable `{name_of(function)}` is static and cannot be hashed. It is {describe(leaf)}. {ADVICE}"
                )
        key = (treedef, *(None if is_own(leaf) else self._reader.static_key(leaf) for leaf in leaves), options)
        self.tables: _Tables = shared(self._anchor, key, _Tables)
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
        """The signature of the function."""
        return self._reader.arguments

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function."""
        names: tuple[str, ...] = ()
        tree: Any = args
        if kwargs:
            if self._has_static_arguments:
                return self._look_up(args, kwargs)
            args, kwargs = self._reader.canonical(args, kwargs)
            names = tuple(kwargs)
            tree = (args, tuple(kwargs.values())) if kwargs else args
        found = None
        leaves: list[Any] = []
        only = self._only
        if only is not None and len(args) == only.count and names == only.names:
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
        if found.pick is not None:
            leaves = found.pick(leaves)
        else:
            for position in found.static_positions:
                del leaves[position]
        try:
            output = found.call(*self._own, *leaves) if self._own else found.call(*leaves)
        except (NotSelectedError, UninspectedError):
            pass  # not to be the context of an error that comes next
        except CALL_ERRORS as error:
            self.locate_deleted(error, args, kwargs)
            if isinstance(error, CONVERSION_ERRORS):
                call = self._reader.read(args, kwargs)
                self._configuration(call)  # raises if what looked dynamic is static and cannot be hashed
                self._reader.locate_unrepresentable(error, call)
            raise
        else:
            return output.reveal() if type(output) is Concealed else output
        return self._look_up(args, kwargs)

    def _look_up(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call that is not just like one of the last."""
        call = self._reader.read(args, kwargs)
        configuration = self._configuration(call)
        try:
            output = configuration.trace_and_call(*self._own, *call.dynamic)
        except CALL_ERRORS as error:
            self.locate_deleted(error, args, kwargs)
            if isinstance(error, CONVERSION_ERRORS):
                self._reader.locate_unrepresentable(error, call)
            raise
        if self._selected_kinds and self._selected_kinds.issuperset(map(type, call.dynamic)):
            self._remember(configuration.call, call)
        return output.reveal() if type(output) is Concealed else output

    def _remember(self, compiled: Callable[..., Any], call: Call) -> None:
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
        call = self._reader.read(args, kwargs)
        return [*self._own, *call.dynamic], call.key

    def trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Hashable, Guard]:
        """The compiled function as traced for a call by `jax.jit(...).trace`, a key of everything static, and a guard.

        `jax.ShapeDtypeStruct`s may stand for arrays, those of the callable itself included.
        """
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in tree_flatten(self.function)[0]):
            return Dispatcher(self.function, self.options, are_own_structs_arrays=True)._trace(args, kwargs)
        return self._trace(args, kwargs)

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Hashable, Guard]:
        call = self._reader.read(args, kwargs, are_structs_arrays=True)
        try:
            with jax.disable_jit(False):
                configuration = self._configuration(call)
                return configuration.trace(*self._own, *call.dynamic), call.key, configuration.guard
        except CONVERSION_ERRORS as error:
            self._reader.locate_unrepresentable(error, call, may_be_structs=True)
            raise

    def locate_deleted(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Say so if the reason for the error is an array that is no longer there, and which one that is."""
        if "deleted" in str(error):
            self._reader.locate_deleted(error, self.function, self._reader.read(args, kwargs))

    def locate_dynamic(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """In words, where the dynamic leaves of a call are, the callable's own first."""
        return [place for place, _ in self._reader.locate_dynamic(self.function, self._reader.read(args, kwargs))]

    def difference(self, key: Hashable, other_key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Describe how the static part of this call, whose key is `other_key`, differs from that with another key."""
        return self._reader.difference(key, other_key, args, kwargs)

    def look_back(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[History, list[Any]]:
        """What calls like this one have been traced for, and what this one would be traced for.

        `jax.ShapeDtypeStruct`s may stand for arrays.
        """
        call = self._reader.read(args, kwargs, are_structs_arrays=True)
        self.arguments.check(call.args, call.kwargs)
        configuration = self._find(call)
        history = self._history(call) if configuration is None else configuration.history
        return history, [*self._own, *call.dynamic]

    def _configuration(self, call: Call) -> Configuration:
        configuration = self._find(call)
        return self._table(call).add(call.key, self._configure(call)) if configuration is None else configuration

    def _find(self, call: Call) -> Configuration | None:
        try:
            return self._table(call).get(call.key)
        except TypeError:
            raise self._reader.unhashable(call) from None

    def _table(self, call: Call) -> Bounded[Configuration]:
        return self.tables.general if call.kwargs else self.tables.positional

    def _configure(self, call: Call) -> Configuration:
        self.arguments.check(call.args, call.kwargs)
        return configure(call, self._history(call), self.arguments, Guard(self.tables.forget_recent))

    def _history(self, call: Call) -> History:
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
