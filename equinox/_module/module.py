"""`Module`: a frozen dataclass that is a PyTree, with methods."""

import types
from collections.abc import Hashable, Iterator
from dataclasses import FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from .._tree.equal import tree_equal
from .._tree.pretty import tree_pformat
from .flatten import WRAPPER_NAMES
from .metaclass import ModuleMeta, is_initialising
from .method import Method
from .suspicious import PLAIN_TYPES, warn_of_transformed_callables


class Module(Hashable, metaclass=ModuleMeta):
    """Base class: inherit from it to make a dataclass that is a PyTree.

    Annotate the attributes in the class body. They are the children of the PyTree, in this order; those declared with
    [`field(static=True)`][equinox.field] are part of its structure instead. An `__init__` that takes them is generated,
    or write your own, which must assign every one of them and nothing else. Afterwards an instance is immutable.
    Functions in the class body are methods; a bound method is a PyTree with the leaves of its instance.

    The class keyword `is_abstract=True` says that the class itself, as opposed to its subclasses, is not to be
    instantiated; `kw_only=True` is that of `dataclasses.dataclass`; `frozen=True` changes nothing at run time, but lets
    type checkers report assignments to fields. All others go to `__init_subclass__`.

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
            frozen: bool = ...,
            kw_only: bool = ...,
            **kwargs: Any,
        ) -> None: ...

        # Not at run time. Optax types its PyTrees as a recursive union of arrays, iterables and mappings, and this is the
        # only way for a Module to be one of them.
        def __iter__(self) -> Iterator[Any]: ...

    else:
        # Hidden from type checkers, which would take them as permission to assign to any attribute at any time.

        def __setattr__(self, name, value):
            if is_initialising(self) and name in (plan := type(self)._plan).assignable:
                if type(value) not in PLAIN_TYPES:
                    _reject_itself(self, name, value)
                    if plan.generated_init is None:
                        warn_of_transformed_callables((value,))
                object.__setattr__(self, name, value)
                if name.startswith("__") and name in WRAPPER_NAMES:
                    plan.layout.note_irregular(self)
            elif name == "__orig_class__":  # `M[int](...)` is to be recognisable, and this is how `typing` says it
                object.__setattr__(self, name, value)
            else:
                raise FrozenInstanceError(f"cannot assign to field {name!r}" + _advice(self, name))

        def __delattr__(self, name):
            raise FrozenInstanceError(f"cannot delete field {name!r}")

        def __setstate__(self, state):
            # How `copy` and `pickle` fill an instance that they made without calling `__init__`.
            attributes, slots = state if isinstance(state, tuple) else (state, None)
            layout = type(self)._plan.layout
            layout.fill(self, (attributes or {}) | (slots or {}))
            layout.note_irregular(self)

    def __hash__(self) -> int:
        try:
            return hash(tuple((f.name, getattr(self, f.name)) for f in fields(self)))  # type: ignore[arg-type] # mypy does not see the dataclass
        except TypeError as error:
            for f in fields(self):  # type: ignore[arg-type] # as above
                try:
                    hash(getattr(self, f.name))
                except TypeError:
                    raise TypeError(
                        f"{error}: `{type(self).__qualname__}` cannot be hashed because its field `{f.name}` cannot. JAX "
                        "hashes the functions that it is given: where a Module with arrays is one of them, use the filtered "
                        "transformation instead (`filter_jit` for `jax.jit`), or pass it as an argument."
                    ) from None
            raise

    def __eq__(self, other: object) -> "bool | jax.Array":  # type: ignore[override] # arrays compare as arrays do
        return tree_equal(self, other)

    def __ne__(self, other: object) -> "bool | jax.Array":  # type: ignore[override] # as above
        equal = self == other
        return not equal if isinstance(equal, bool) else jnp.logical_not(equal)

    def __repr__(self) -> str:
        return tree_pformat(self)

    # Printing recognises this function, to tell it from one that a subclass wrote.
    __repr__.__tree_pformat__ = True  # type: ignore[attr-defined] # functions have attributes


def _reject_itself(module: Module, name: str, value: Any) -> None:
    """Raise an error if `value`, about to become the field `name` of `module`, contains `module`."""
    if (found := _itself_in(module, value)) is not None:
        raise ValueError(
            f"Cannot assign methods in __init__: the value of field `{name}` of `{type(module).__qualname__}` is or holds "
            f"{found}, so that the PyTree would contain itself. Call the method where it is needed instead of storing it."
        )


def _itself_in(module: Module, value: Any) -> str | None:
    if value is module:
        return "the instance itself"
    if isinstance(value, (types.MethodType, Method.bound_type)):
        return f"its method `{value.__func__.__name__}`" if value.__self__ is module else None
    if type(value) in (tuple, list, dict):
        for item in value.values() if type(value) is dict else value:
            if (found := _itself_in(module, item)) is not None:
                return found
    return None


def _advice(module: Module, name: str) -> str:
    if not is_initialising(module):
        return f": instances of `{type(module).__qualname__}` are immutable. Make a changed copy, with `tree_at` for instance."
    return (
        f": `{type(module).__qualname__}` has no such field. Declare it in the class body, as in `{name}: jax.Array`."
    )
