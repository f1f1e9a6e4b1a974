"""`Enumeration`: named outcomes, with messages, that can be computed inside of compiled functions.

The class is only a name space. What its names stand for are *items*, PyTrees with one integer as their leaf, which go
through every transformation like any other array; which enumeration they belong to is a part of their structure.
"""

import types
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from wadler_lindig import AbstractDoc, TextDoc

from ._errors import describe, first_user_frame
from ._module import Module, field
from ._runtime.error_if import branched_error_if
from ._tree.predicates import is_array


class EnumerationItem(Module):
    """One of the outcomes that an enumeration names, or several of them, batched."""

    _value: Any
    _enumeration: "EnumerationMeta" = field(static=True)

    def is_traced(self) -> bool:
        """Whether it is unknown as yet which item this is."""
        return isinstance(self._value, Tracer)

    def error_if(self, token: Any, pred: Any) -> Any:
        """Raise an error with this item's message if `pred` is true. See [`error_if`][equinox.error_if]."""
        return branched_error_if(token, pred, self._value, list(self._enumeration.__messages__.values()))

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, EnumerationItem) or other._enumeration is not self._enumeration:
            raise ValueError(
                f"An item of `{self._enumeration.__qualname__}` can be compared only with another one. Found "
                f"{_describe(other)}."
            )
        return _compute(jnp.equal, self._value, other._value)

    def __ne__(self, other: object) -> Any:
        return _compute(jnp.logical_not, self == other)

    # Equal items are arrays that are equal, and not the same object.
    __hash__ = None  # type: ignore[assignment] # pyright: ignore[reportAssignmentType] # the way to say this in Python

    def __pdoc__(self, **kwargs: Any) -> AbstractDoc:
        del kwargs
        enumeration = self._enumeration
        return TextDoc(f"{enumeration.__module__}.{enumeration.__qualname__}<{_message(self)}>")


class EnumerationMeta(type):
    """The type of enumerations."""

    __members__: Mapping[str, EnumerationItem]
    __messages__: Mapping[str, str]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /) -> "EnumerationMeta":
        own = {key: value for key, value in namespace.items() if not (key.startswith("__") and key.endswith("__"))}
        if bases:  # all but `Enumeration` itself, in which these are methods
            _check(name, bases, own)
            namespace = {key: value for key, value in namespace.items() if key not in own}
            messages = _merge([*(vars(base)["__messages__"] for base in bases), own])
            if "__doc__" not in namespace:
                lines = [f"- `{key}`: {message}" for key, message in messages.items()]
                namespace["__doc__"] = "\n".join(["An enumeration with these items:", "", *lines])
        else:
            messages = {}
        cls = super().__new__(mcs, name, bases, namespace)
        items = {key: EnumerationItem(np.array(i, np.int32), cls) for i, key in enumerate(messages)}
        type.__setattr__(cls, "__messages__", types.MappingProxyType(messages))
        type.__setattr__(cls, "__members__", types.MappingProxyType(items))
        for key, item in items.items():
            type.__setattr__(cls, key, item)
        return cls

    def __getitem__(cls, item: object) -> str:
        if not (isinstance(item, EnumerationItem) and _enumeration_of(item) is cls):
            raise ValueError(
                f"`{cls.__qualname__}[item]` is the message of an item of `{cls.__qualname__}`. Found "
                f"{_describe(item)}."
            )
        return _message(item)

    def __iter__(cls) -> Iterator[EnumerationItem]:
        return iter(cls.__members__.values())

    def __contains__(cls, item: object) -> bool:
        return isinstance(item, cls)

    def __len__(cls) -> int:
        return len(cls.__members__)

    def __bool__(cls) -> bool:
        return True

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, EnumerationItem) and _enumeration_of(instance) is cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        names = ", ".join(f"`{cls.__qualname__}.{name}`" for name in cls.__members__)
        raise TypeError(f"`{cls.__qualname__}` has no instances but its items: {names or 'it has none'}.")

    def __setattr__(cls, name: str, value: Any) -> None:
        # Attributes that are no items, such as properties, may be added later: Diffrax does that.
        if name in cls.__members__ or (isinstance(value, str) and not name.startswith("__")):
            raise AttributeError(
                f"cannot assign to `{cls.__qualname__}.{name}`: the items of an enumeration are fixed."
            )
        super().__setattr__(name, value)

    def __delattr__(cls, name: str) -> None:
        if name in cls.__members__:
            raise AttributeError(f"cannot delete `{cls.__qualname__}.{name}`: the items of an enumeration are fixed.")
        super().__delattr__(name)


class Enumeration(metaclass=EnumerationMeta):
    """Base class: inherit from it to name outcomes, each with a message, that compiled functions may return.

    Names in the class body that are bound to strings become *items*. An item is a PyTree with a single integer array,
    so `jax.jit`, `jax.vmap`, `jax.lax.cond` and all the others take it, and return it. A subclass has the items of its
    parents, followed by its own.

    - `E.name` is an item; `E[item]` is its message; `item == E.name` is a boolean array; `len(E)`, `list(E)` and
      `item in E` do what they do for Python's own enumerations. Items of different enumerations cannot be compared.
      (Compare items by `==`. To [`tree_equal`][equinox.tree_equal], one that was computed, and therefore holds an array
      of JAX, differs from `E.name`, which holds an array of NumPy.)
    - `E.where(pred, a, b)` is the item `a` where `pred` is true, else `b`.
    - `E.promote(item)`, of an item of a parent of `E`, is the item of `E` with the same name.
    - `item.error_if(x, pred)` is [`error_if`][equinox.error_if] with the item's message.
    - `item.is_traced()` says whether it is still unknown which item it is.

    **Raises**

    - `ValueError`, when the class is made: an item is not a string, or is called `where` or `promote`; or a base class
      is no enumeration.

    **Example**
    ```python
    >>> class Result(eqx.Enumeration):
    ...     done = "finished"
    ...     stalled = "no progress"
    >>> @jax.jit
    ... def solve(x):
    ...     return Result.where(x > 0, Result.done, Result.stalled)
    >>> result = solve(-1.0)
    >>> Result[result], bool(result == Result.stalled)
    ('no progress', True)

    ```
    """

    @classmethod
    def where(cls, pred: Any, a: Any, b: Any) -> Any:
        """Choose between two items, as `jax.numpy.where` does.

        **Arguments**

        - `pred`: a boolean scalar.
        - `a`, `b`: items of this enumeration.

        **Returns**

        `a` if `pred` is true, else `b`.

        **Raises**

        - `ValueError`: `pred` is no boolean scalar, or `a` or `b` is no item of this enumeration.
        """
        if not (isinstance(pred, bool) or (is_array(pred) and pred.ndim == 0 and pred.dtype == bool)):
            raise ValueError(f"argument `pred` of `where`: found {describe(pred)}, expected a boolean scalar.")
        for name, item in (("a", a), ("b", b)):
            if not isinstance(item, cls):
                raise ValueError(
                    f"argument `{name}` of `where`: found {_describe(item)}, expected an item of `{cls.__qualname__}`."
                )
        values = _value_of(a), _value_of(b)
        return a if values[0] is values[1] else EnumerationItem(_compute(jnp.where, pred, *values), cls)

    @classmethod
    def promote(cls, item: Any) -> Any:
        """Turn an item of a parent class into one of this class.

        **Arguments**

        - `item`: an item of an enumeration that this one inherits from.

        **Returns**

        The item of this enumeration with the same name.

        **Raises**

        - `ValueError`: `item` is something else.
        """
        if not isinstance(item, EnumerationItem):
            raise ValueError(f"argument `item` of `promote`: found {describe(item)}, expected an item.")
        parent = _enumeration_of(item)
        if parent is cls or not issubclass(cls, parent):
            raise ValueError(
                f"argument `item` of `promote`: found {_describe(item)}, but `{cls.__qualname__}` does not inherit "
                f"from `{parent.__qualname__}`."
            )
        names = list(cls.__messages__)
        positions = np.array([names.index(name) for name in parent.__messages__], np.int32)

        def promoted(value: Any) -> jax.Array:
            return jnp.asarray(positions)[value]

        return EnumerationItem(_compute(promoted, _value_of(item)), cls)


def _value_of(item: EnumerationItem) -> Any:
    return item._value  # pyright: ignore[reportPrivateUsage] # private to this module


def _enumeration_of(item: EnumerationItem) -> EnumerationMeta:
    return item._enumeration  # pyright: ignore[reportPrivateUsage] # as above


def _check(name: str, bases: tuple[type, ...], own: Mapping[str, Any]) -> None:
    for base in bases:
        if not isinstance(base, EnumerationMeta):
            raise ValueError(
                f"Enumeration `{name}`: the base class `{base.__qualname__}` is no enumeration. Enumerations inherit "
                "from `Enumeration` and from each other, and from nothing else."
            )
    for key, value in own.items():
        if key in ("where", "promote"):
            raise ValueError(f"Enumeration `{name}`: an item cannot be called `{key}`, because there is such a method.")
        if not isinstance(value, str):
            raise ValueError(
                f"Enumeration `{name}`: the item `{key}` is {describe(value)}, but it must be a string, the message."
            )


def _merge(parts: list[Mapping[str, str]]) -> dict[str, str]:
    """The messages of parents and of the class itself, in this order."""
    merged: dict[str, str] = {}
    for part in parts:
        for name, message in part.items():
            if merged.get(name, message) != message:
                warnings.warn(
                    f"Enumeration item `{name}` has two messages, {merged[name]!r} and {message!r}. Of these, the "
                    "latter is used.",
                    UserWarning,
                    stacklevel=first_user_frame(),
                )
            merged[name] = message
    return merged


def _message(item: EnumerationItem) -> str:
    value = _value_of(item)
    if isinstance(value, Tracer):
        return "traced"
    if not is_array(value):
        return "unknown"
    return str(np.array(list(_enumeration_of(item).__messages__.values()))[np.asarray(value)])


def _describe(found: object) -> str:
    if isinstance(found, EnumerationItem):
        return f"an item of `{_enumeration_of(found).__qualname__}`: {_message(found)}"
    return describe(found)


def _compute(function: Any, *values: Any) -> jax.Array:
    """Apply a function to arrays; inside of `jax.jit` too, the result is known if they are."""
    if any(isinstance(value, Tracer) for value in values):
        return function(*values)  # type: ignore[no-any-return] # one of `jax.numpy`
    with jax.ensure_compile_time_eval():
        return function(*values)  # type: ignore[no-any-return] # as above
