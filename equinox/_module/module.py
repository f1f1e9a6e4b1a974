"""`Module`: a frozen dataclass that is a PyTree, with methods."""

import types
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any, Final, Literal

import jax
import jax.numpy as jnp

from .._errors import describe, is_hashable
from .._tree.equal import tree_equal
from .._tree.pretty import tree_pformat
from . import method
from .construction import Plan, initialising
from .flatten import WRAPPER_NAMES
from .metaclass import ModuleMeta
from .suspicious import PLAIN_TYPES, items_of, warn_of_transformed_callables
from .treescope import treescope_rendering

_set_attribute: Final = object.__setattr__


class Module(Hashable, metaclass=ModuleMeta):
    """Base class: inherit from it to make a dataclass that is a PyTree.

    Annotate the attributes in the class body. They are the children of the PyTree, in this order; those declared with
    [`field(static=True)`][equinox.field] are part of its structure instead. An `__init__` that takes them is generated,
    or write your own, which must assign every one of them and nothing else. Afterwards an instance is immutable.
    Functions in the class body are methods; a bound method is a PyTree with the leaves of its instance.

    The class keyword `is_abstract=True` says that the class itself, as opposed to its subclasses, is not to be
    instantiated; `kw_only=True` is that of `dataclasses.dataclass`. Two others change nothing at run time, but tell
    type checkers what they cannot know: `frozen=True`, that assignments to fields are to be reported, and `init=False`,
    that the class inherits a handwritten `__init__` rather than getting a generated one. Any other keyword goes to
    `__init_subclass__`.

    After `__init__`, field converters run, and then the `__check_init__(self)` of every class in the MRO that has one.

    **Raises** (on construction)

    - `TypeError`: the class is abstract, or the arguments do not fit its `__init__`.
    - `TypeError` and `ValueError` (one exception that is both): a field is not assigned by the end of `__init__`.
    - `dataclasses.FrozenInstanceError` (an `AttributeError`): assignment to anything but a field in `__init__`, or to
      anything at all afterwards.

    **Example**
    ```python
    >>> class Linear(eqx.Module):
    ...     weight: jax.Array
    ...     bias: jax.Array
    ...     def __call__(self, x):
    ...         return self.weight @ x + self.bias
    >>> linear = Linear(jnp.ones((2, 3)), jnp.zeros(2))
    >>> linear
    Linear(weight=f32[2,3], bias=f32[2])
    >>> linear(jnp.ones(3))
    Array([3., 3.], dtype=float32)
    >>> jax.tree.map(jnp.shape, linear)
    Linear(weight=(2, 3), bias=(2,))

    ```
    """

    if TYPE_CHECKING:

        def __init_subclass__(
            cls,
            *,
            is_abstract: bool = ...,
            strict: bool | None = ...,
            frozen: Literal[True] = ...,
            init: bool = ...,
            kw_only: bool = ...,
            **kwargs: Any,
        ) -> None: ...

        # Not at run time. Optax types its PyTrees as a recursive union of arrays, iterables and mappings, and this is
        # the only way for a Module to be one of them.
        def __iter__(self) -> Iterator[Any]: ...

    else:
        # Hidden from type checkers, which would take them as permission to assign to any attribute at any time.

        def __setattr__(self, name, value):
            plan = initialising.get(id(self))
            if plan is not None and name in plan.assignable:
                if type(value) not in PLAIN_TYPES:
                    _examine(self, plan, name, value)
                _set_attribute(self, name, value)
            else:
                _set_other(self, plan, name, value)

        def __delattr__(self, name):
            raise FrozenInstanceError(f"cannot delete field {name!r}" + _advice(self))

        def __setstate__(self, state):
            # How `copy` and `pickle` fill an instance that they made without calling `__init__`.
            attributes, slots = state if isinstance(state, tuple) else (state, None)
            attributes = (attributes or {}) | (slots or {})
            layout = type(self).__module_plan__.layout
            layout.fill(self, attributes)
            if not layout.defaulted <= attributes.keys() or not attributes.keys().isdisjoint(WRAPPER_NAMES):
                layout.note_irregular()

    def __hash__(self) -> int:
        try:
            return hash(tuple((f.name, getattr(self, f.name)) for f in fields(self)))
        except TypeError:
            raise TypeError(_why_unhashable(self)) from None

    def __eq__(self, other: object) -> "bool | jax.Array":  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # arrays compare as arrays do
        return tree_equal(self, other)

    def __ne__(self, other: object) -> "bool | jax.Array":  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # as above
        equal = self == other
        return not equal if isinstance(equal, bool) else jnp.logical_not(equal)

    def __repr__(self) -> str:
        return tree_pformat(self)

    # Printing recognises this function, to tell it from one that a subclass wrote.
    __repr__.__tree_pformat__ = True  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess] # functions have attributes

    def __treescope_repr__(self, path: str | None, subtree_renderer: Any) -> Any:
        return treescope_rendering(self, path, subtree_renderer)


def _set_other(module: Module, plan: Plan | None, name: str, value: Any) -> None:
    """Assign to what is no field, if that is one of the few names for which there is a reason to."""
    if plan is not None and name in WRAPPER_NAMES:
        plan.layout.note_irregular()
    elif name != "__orig_class__":  # how `typing` makes `M[int](...)` recognisable
        advice = f": `{type(module).__qualname__}` has no such field. Declare it in the class body, with its type."
        raise FrozenInstanceError(f"cannot assign to field {name!r}" + (_advice(module) if plan is None else advice))
    _set_attribute(module, name, value)


def _advice(module: Module) -> str:
    return (
        f": instances of `{type(module).__qualname__}` are immutable. Make a changed copy, with `tree_at` for instance."
    )


def _examine(module: Module, plan: Plan, name: str, value: Any) -> None:
    """Have a closer look at a value that is about to become the field `name` of `module`."""
    if (found := _find(module, value)) is not None:
        raise ValueError(
            f"Cannot assign methods in __init__: field `{name}` of `{type(module).__qualname__}` would hold {found}, "
            "so that the PyTree would contain itself. Call the method where it is needed instead of storing it."
        )
    if not plan.takes_fields:
        warn_of_transformed_callables((value,))


def _find(module: Module, value: object) -> str | None:
    """Say in what form `value` contains `module`, if it does."""
    if value is module:
        return "the instance itself"
    kind: Any = type(value)
    if kind is types.MethodType or kind is method.bound_type:
        bound: Any = value
        if bound.__self__ is module:
            return f"its own method `{bound.__name__}`"
    items = items_of(value)
    if isinstance(kind, ModuleMeta) and id(value) not in initialising:
        items, _ = kind.__module_plan__.layout.flatten(value)
    return next((found for item in items if (found := _find(module, item)) is not None), None)


def _why_unhashable(module: Module) -> str:
    path, value = _find_unhashable(module)
    return (
        f"unhashable type: {type(value).__name__!r}. `{type(module).__qualname__}` has no hash because its `{path}`, "
        f"{describe(value)}, has none. JAX hashes the functions that it is given: where a Module with arrays is one of "
        "them, use the filtered transformation instead (`filter_jit` for `jax.jit`), or pass the Module as an argument."
    )


def _find_unhashable(value: Any, path: str = "") -> tuple[str, Any]:
    """Find out which part of an unhashable value is to blame."""
    parts: Iterable[tuple[str, Any]] = ()
    if value.__class__.__hash__ is Module.__hash__:
        parts = ((f".{f.name}", getattr(value, f.name)) for f in fields(value))
    elif value.__class__ is tuple:
        parts = ((f"[{index}]", part) for index, part in enumerate(value))
    for name, part in parts:
        if not is_hashable(part):
            return _find_unhashable(part, path + name)
    return path, value
