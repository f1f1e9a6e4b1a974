"""Why a compiled function is traced again: in what a call differs from the nearest that it has been traced for."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final

from .._errors import first_user_frame, locate
from .._jax_tree import KeyPath, keystr, tree_flatten, tree_flatten_with_path
from .difference import Difference, DifferenceKind, leaf_difference, structure_difference
from .dispatch import Dispatcher
from .history import SETTINGS, History, Origin, Signature, is_made_anew, listeners, signature_of, source_of

#: With how many traces, the latest ones, a call is compared.
_MAX_COMPARED: Final = 64

_ADVICE: Final[dict[DifferenceKind, str]] = {
    "structure": "Each structure has a program of its own; so has each set of arguments that are given.",
    "static": "Each value of what is not traced has a program of its own, and each object is a value of its own if "
    "its type has no `__eq__`. The values of an array share a program.",
    "kind": "Pass an array each time, and all values share a program.",
    "function": "Each function object has a program of its own, and a `lambda`, a `def` inside of a function and a "
    "`functools.partial` make a new one each time: make it once, and pass what varies as an argument.",
    "shape": "Each shape has a program of its own; padding to a few sizes makes for few programs.",
    "dtype": "Each dtype has a program of its own; convert with `jnp.asarray(..., dtype)`.",
    "weak type": "A Python number makes an array of weak type; `jnp.asarray(..., dtype)` makes one that is not.",
    "sharding": "Each mesh has a program of its own; place the array with `jax.device_put`.",
    "setting": "Each value of this setting has a program of its own.",
}


class RecompilationWarning(UserWarning):
    """A compiled function was traced, and is to be compiled, again. See `log_recompiles`."""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Whether a call of a compiled function finds a program that is there, and if not, why.

    `str` of it is a text for people.

    **Attributes**

    - `function_name`: the name of the function.
    - `hit`: whether the function has been traced for such a call.
    - `differences`: in what the call differs from the nearest of those that it has been traced for, among the latest
      64. Empty if the function has not been traced at all, or if what differs is nothing that can be named.
    - `traces`: how many traces there are.
    """

    function_name: str
    hit: bool
    differences: tuple[Difference, ...]
    traces: int

    def __str__(self) -> str:
        if self.hit:
            return f"`{self.function_name}` has been traced for such a call: it would not be traced again."
        if not self.traces and not self.differences:
            return f"`{self.function_name}` has not been traced yet."
        if not self.differences:
            return (
                f"`{self.function_name}` has been traced for such a call, but must be traced again: JAX's own caches "
                "were cleared, or the call is inside of another transformation, such as a `vmap` with a named axis."
            )
        lines = [f"- {difference}. {_ADVICE[difference.kind]}" for difference in self.differences]
        nearest = "its only trace" if self.traces == 1 else f"the nearest of its {self.traces} traces"
        compared = f" Compared with {nearest}:" if self.traces else ""
        return f"`{self.function_name}` has to be traced for this call.{compared}\n" + "\n".join(lines)


def explain(dispatcher: Dispatcher, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Explanation:
    """Explain what a call would do."""
    history, arrays = dispatcher.look_back(args, kwargs)
    signature = signature_of(arrays)
    if signature in history.signatures:
        return Explanation(history.origin.function_name, True, (), _count(history.peers))
    return _explain_miss(history, signature)


def _count(histories: list[History]) -> int:
    return sum(len(history.signatures) for history in histories)


def _explain_miss(history: History, signature: Signature) -> Explanation:
    origin = history.origin
    known = history.peers if _count(history.peers) else history.relatives
    call = _Version(origin, signature)
    earlier = [(other, found) for other in known for found in [*other.signatures.values()]]
    # For each call apart, all differences: what is to be shown are those to the call that has the fewest.
    compared = [tuple(_differences(_Version(other.origin, found), call)) for other, found in earlier[-_MAX_COMPARED:]]
    nearest = min(reversed(compared), key=_distance, default=())
    if not compared:
        anchor = origin.anchor and origin.anchor()
        if is_made_anew(anchor):
            place = f"callable `{origin.function_name}`"
            before = f"another function made by the same code, {source_of(anchor)}"
            nearest = (Difference(place, "function", before, repr(anchor)),)
    return Explanation(origin.function_name, False, nearest, len(earlier))


def _distance(differences: tuple[Difference, ...]) -> tuple[int, int]:
    # Where the structure differs, what is below it has not been compared.
    return sum(difference.kind == "structure" for difference in differences), len(differences)


class _Version:
    """A call, with a description in place of each leaf."""

    def __init__(self, origin: Origin, signature: Signature) -> None:
        own = origin.callable.hole_count
        arguments = origin.arguments.show(signature.arrays[own:])
        positional, by_keyword = arguments if origin.keywords else (arguments, ())
        self.name = origin.function_name
        self.callable = origin.callable.show(signature.arrays[:own])
        self.arguments = dict(zip([*origin.names, *origin.keywords], [*positional, *by_keyword], strict=True))
        self.settings = dict(zip([*SETTINGS, "the mesh"], signature.settings, strict=True))


def _differences(before: _Version, after: _Version) -> Iterator[Difference]:
    def in_callable(path: KeyPath) -> str:
        return f"callable `{after.name}`" + (f", leaf `{keystr(path)}`" if path else "")

    yield from _tree_differences(in_callable, before.callable, after.callable)
    for name in {**before.arguments, **after.arguments}:
        if name in before.arguments and name in after.arguments:
            place = functools.partial(locate, name)
            yield from _tree_differences(place, before.arguments[name], after.arguments[name])
        else:
            given = ["given" if name in version.arguments else "not given" for version in (before, after)]
            yield Difference(locate(name), "structure", *given)
    for name, value in after.settings.items():
        if before.settings[name] != value:
            yield Difference(f"`{name}`", "setting", repr(before.settings[name]), repr(value))


def _tree_differences(place: Callable[[KeyPath], str], before: Any, after: Any) -> Iterator[Difference]:
    leaves, treedef = tree_flatten_with_path(before)
    new_leaves, new_treedef = tree_flatten(after)
    if treedef != new_treedef:
        yield structure_difference(place, before, after)
        return
    for (path, leaf), new in zip(leaves, new_leaves, strict=True):
        difference = leaf_difference(place(path), leaf, new)
        if difference is not None:
            yield difference


class log_recompiles:  # noqa: N801 # it is called like a function
    """Warn whenever a compiled function is traced again, and say why.

    A function that is traced for the first time is no reason to warn, unless it is made anew each time: then it is
    another function, though the code is the same. This is a switch for the whole process.

    **Arguments**

    - `enabled`: whether to warn from now on.

    **Returns**

    A context manager, which need not be used: at its end, everything is as it was before.

    **Example**
    ```python
    >>> import warnings
    >>> @eqx.filter_jit
    ... def double(x):
    ...     return 2 * x
    >>> with eqx.debug.log_recompiles(), warnings.catch_warnings(record=True, action="always") as caught:
    ...     y = double(jnp.ones(2))
    ...     y = double(jnp.ones(3))
    >>> print(caught[0].message)
    `double` has to be traced for this call. Compared with its only trace:
    - argument `x`: shape was float32[2], is float32[3]. Each shape has ...

    ```
    """

    def __init__(self, enabled: bool = True) -> None:
        self._was_enabled = _warn in listeners
        _switch(enabled)

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _switch(self._was_enabled)


def _switch(enabled: bool) -> None:
    if enabled and _warn not in listeners:
        listeners.append(_warn)
    elif not enabled and _warn in listeners:
        listeners.remove(_warn)


def _warn(history: History, signature: Signature) -> None:
    explanation = _explain_miss(history, signature)
    if explanation.traces or explanation.differences:
        warnings.warn(str(explanation), RecompilationWarning, stacklevel=first_user_frame(through=("jax",)))
