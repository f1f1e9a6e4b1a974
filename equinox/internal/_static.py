"""`Static`: any value as a part of the structure of a PyTree."""

from typing import Any, Generic, TypeVar, cast, final

from wadler_lindig import (
    AbstractDoc,
    TextDoc,
    bracketed,
    comma,
    pdoc,  # pyright: ignore[reportUnknownVariableType] # its `**kwargs` are not annotated
)

from .._jax_tree import PyTreeDef, tree_flatten
from .._module import Module, field
from .._transforms.conceal import is_same_static, static_key

_T = TypeVar("_T")


@final
class _Value:
    """A tree that is equal to another one if structure and leaves are; what containers say of that does not matter."""

    __slots__ = ("leaves", "treedef")

    def __init__(self, tree: Any) -> None:
        self.leaves: list[Any]
        self.treedef: PyTreeDef
        self.leaves, self.treedef = tree_flatten(tree)

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is _Value
            and self.treedef == other.treedef
            and all(map(is_same_static, self.leaves, other.leaves))
        )

    def __hash__(self) -> int:
        return hash((self.treedef, *map(static_key, self.leaves)))


class Static(Module, Generic[_T]):
    """A PyTree without leaves that holds any value, arrays included, which JAX never sees.

    So a function that is transformed by JAX itself can take and return what is no array. For `jax.jit`, another value
    is another argument, for which the function is traced anew.

    **Arguments**

    - `value`: any PyTree. It is copied; its leaves are not. Two `Static`s are equal if structure and leaves of their
      values are, where `1`, `1.0` and `True` differ. One has a hash if all leaves have one.

    **Example**
    ```python
    >>> @jax.jit
    ... def function(x, power):
    ...     return x**power.value, Static(f"x**{power.value}")
    >>> function(3.0, Static(2))[1].value
    'x**2'

    ```
    """

    _value: _Value = field(static=True)

    def __init__(self, value: _T) -> None:
        self._value = _Value(value)

    @property
    def value(self) -> _T:
        """The value."""
        return cast(_T, self._value.treedef.unflatten(self._value.leaves))

    def __pdoc__(self, **kwargs: Any) -> AbstractDoc:
        return bracketed(TextDoc("Static("), [pdoc(self.value, **kwargs)], comma, TextDoc(")"), kwargs["indent"])
