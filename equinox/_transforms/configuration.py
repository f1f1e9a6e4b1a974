"""One compiled function of the dynamic leaves, for one set of static leaves and one structure of the arguments."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import jax

from .._jax_tree import tree_structure
from .._runtime.guard import Guard, UninspectedError, is_jit_disabled
from .._runtime.stack import enter
from .._tree.predicates import is_inexact_array, is_none
from .._tree.prefix import flatten_up_to
from .arguments import Arguments
from .calls import Call
from .conceal import conceal
from .donation_warning import silenced_donation_warning
from .history import History
from .options import ById, Donation
from .template import StaticArgument

_NOT_SELECTED: Final = "an array that the filter does not select would be static, but arrays cannot be hashed."


class NotSelectedError(TypeError):
    """A call was taken for one in which other leaves are dynamic."""


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


def configure(call: Call, history: History, arguments: Arguments, guard: Guard) -> Configuration:
    """Make the configuration for a call that is the first of its kind.

    **Arguments**

    - `call`, `history`: the call, and the history of calls of this kind, which is empty.
    - `arguments`: the signature of the function.
    - `guard`: what is known about the runtime checks in it.
    """
    own, given = history.origin.callable, history.origin.arguments
    names, anchor = history.origin.keywords, history.origin.anchor
    options = history.origin.options
    is_output = options.is_output
    # Calls are recognised by the types of their leaves, which here do not decide; but another dtype is a new trace.
    is_selective = options.predicate is is_inexact_array
    keeps_structure = any(name == "out_shardings" for name, _ in options.jit)

    def traced(*arrays: Any) -> Any:
        guard.before_trace()
        if is_selective and not all(map(is_inexact_array, arrays[own.hole_count :])):
            raise NotSelectedError(f"`{traced.__name__}`: {_NOT_SELECTED}")
        function = own.fill(arrays[: own.hole_count])
        given_back = given.fill(arrays[own.hole_count :])
        if names:
            positional, by_keyword = given_back
            output = enter(guard.program, function, *positional, **dict(zip(names, by_keyword, strict=True)))
        else:
            output = enter(guard.program, function, *given_back)
        if is_jit_disabled():  # without a trace there is no treedef in which leaves could be concealed
            return output
        history.add(arrays)
        return conceal(output, is_output, anchor, in_place=keeps_structure)

    traced.__name__ = traced.__qualname__ = arguments.function_name
    for_jit: dict[str, Any] = {name: value.value if type(value) is ById else value for name, value in options.jit}
    if "in_shardings" in for_jit:
        for_jit["in_shardings"] = _leaf_shardings(for_jit["in_shardings"], call, own.hole_count)
    donation = options.donation
    if donation is None:
        jitted = jax.jit(traced, **for_jit)
        return Configuration(jitted, jitted, history, guard)
    jitted = jax.jit(traced, donate_argnums=_donated(donation, call, arguments, own.hole_count), **for_jit)
    direct = _without_donation_warning(jitted) if donation.is_silent else jitted
    return Configuration(jitted, direct, history, guard)


def _donated(donation: Donation, call: Call, arguments: Arguments, own_count: int) -> tuple[int, ...]:
    """The positions, among all dynamic leaves, of those to donate. The callable's own come first."""
    owners: list[int | str | None] = [None] * own_count
    owners += call.of_dynamic_leaves([*range(len(call.args)), *call.kwargs])
    if donation.arguments is None:
        first = 0 if call.args else next(iter(call.kwargs), "")
        return tuple(i for i, owner in enumerate(owners) if not (donation.except_first and owner == first))
    indices = tuple(i for i in donation.arguments if isinstance(i, int))
    argument_names = tuple(name for name in donation.arguments if isinstance(name, str))
    positions, names = arguments.resolve(indices, argument_names, len(call.args))
    return tuple(i for i, owner in enumerate(owners) if owner in positions or owner in names)


def _leaf_shardings(prefix: Any, call: Call, own_count: int) -> tuple[Any, ...]:
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
    return (*[None] * own_count, *of_dynamic)


def _list_as_tuple(value: Any) -> Any:
    as_list: Any = list
    return tuple(value) if type(value) is as_list else value


def _without_donation_warning(jitted: Any) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        with silenced_donation_warning():
            return jitted(*arrays)

    return call
