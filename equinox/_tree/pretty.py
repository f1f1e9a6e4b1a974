"""Printing PyTrees: an array as its dtype and shape, a dataclass (any `Module`) as its fields, on as few lines as fit.

The `wadler_lindig` package does most of it: it prints Python's own containers, and lets a class choose its text with a
`__pdoc__` method. What it cannot know about JAX is added by the hook that it calls with every object, `TreeWLCustom`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.tree_util as jtu
import numpy as np

# Imported at the top although only printing needs it: it takes 3 ms, and `jaxtyping` imports it anyway.
from wadler_lindig import (
    AbstractDoc,
    TextDoc,
    array_summary,
    bracketed,
    comma,
    pdoc,  # pyright: ignore[reportUnknownVariableType] # its `**kwargs` are not annotated
    pformat,  # pyright: ignore[reportUnknownVariableType] # its `**kwargs` are not annotated
)

from .pretty_layout import lay_out_strictly
from .pretty_repr import own_repr

PyTree = Any


def _never(node: Any) -> bool:
    del node
    return False


def tree_pformat(
    pytree: PyTree,
    *,
    width: int = 80,
    indent: int = 2,
    short_arrays: bool = True,
    struct_as_array: bool = False,
    truncate_leaf: Callable[[Any], bool] = _never,
) -> str:
    """Format a PyTree as text for people to read.

    A field of a dataclass is left out while it holds its default. A bracketed group goes on the current line if it
    fits; otherwise all its items go on one indented line; otherwise every item goes on a line of its own.

    **Arguments:**

    - `pytree`: anything.
    - `width`: the number of columns to stay within; only a single item that is wider than this may go beyond.
    - `indent`: the number of columns by which the items of a broken group are indented.
    - `short_arrays`: print an array as its dtype and shape, `f32[3,4]`, rather than with its values.
    - `struct_as_array`: print a `jax.ShapeDtypeStruct` like the array it stands for. Needs `short_arrays`.
    - `truncate_leaf`: called with every node from the root downwards; where it returns `True`, the node is printed as
        the name of its type, `TypeName(...)`.

    **Returns:**

    The text, without a line end.

    **Example**
    ```python
    >>> params = {"weight": jnp.zeros((8, 2)), "bias": None, "scale": np.float32(0.5), "activation": jax.nn.gelu}
    >>> print(tree_pformat(params, width=60))
    {
      'weight': f32[8,2],
      'bias': None,
      'scale': np.float32(0.5),
      'activation': <function gelu>
    }

    ```

    A class chooses its own text with a method `__pdoc__(self, **kwargs)` that returns a `wadler_lindig` document. The
    keyword arguments are those of `wadler_lindig.pdoc`, to be passed on when printing what is inside.

    ```python
    >>> import wadler_lindig as wl
    >>> class Metres:
    ...     def __init__(self, value):
    ...         self.value = value
    ...     def __pdoc__(self, **kwargs):
    ...         return wl.pdoc(self.value, **kwargs) + wl.TextDoc(" m")
    >>> tree_pformat([Metres(jnp.array([1.0, 2.0]))])
    '[f32[2] m]'

    ```
    """
    custom = TreeWLCustom(truncate_leaf, short_arrays, struct_as_array)
    custom.indent = indent
    return pformat(lay_out_strictly(custom.document(pytree)), width=width)


def tree_pprint(
    pytree: PyTree,
    *,
    width: int = 80,
    indent: int = 2,
    short_arrays: bool = True,
    struct_as_array: bool = False,
    truncate_leaf: Callable[[Any], bool] = _never,
) -> None:
    """Print a PyTree as text for people to read.

    **Arguments:**

    - `pytree`: anything.
    - `width`, `indent`, `short_arrays`, `struct_as_array`, `truncate_leaf`: as in `tree_pformat`.

    **Returns:**

    Nothing. What `tree_pformat` returns is printed.

    **Example**
    ```python
    >>> tree_pprint([jnp.arange(3), np.arange(3.0), 4])
    [i32[3], f64[3](numpy), 4]

    ```
    """
    text = tree_pformat(
        pytree,
        width=width,
        indent=indent,
        short_arrays=short_arrays,
        struct_as_array=struct_as_array,
        truncate_leaf=truncate_leaf,
    )
    print(text)  # noqa: T201 # this is what it is for


@dataclasses.dataclass(slots=True)
class TreeWLCustom:
    """What `tree_pformat` adds to `wadler_lindig`, as the `custom` argument of its functions.

    **Arguments:**

    - `truncate_leaf`, `short_arrays`, `struct_as_array`: as in `tree_pformat`.

    **Example**
    ```python
    >>> import wadler_lindig as wl
    >>> custom = TreeWLCustom(truncate_leaf=lambda _: False, short_arrays=True, struct_as_array=False)
    >>> wl.pformat([jnp.float32(1), jnp.asarray(1.0)], custom=custom)
    '[f32[], weak_f32[]]'

    ```
    """

    truncate_leaf: Callable[[Any], bool]
    short_arrays: bool
    struct_as_array: bool
    # `wadler_lindig` does not tell its hook these two. They are needed where the hook prints something with contents.
    indent: int = dataclasses.field(default=2, init=False, repr=False, compare=False)
    seen_ids: set[int] = dataclasses.field(default_factory=set[int], init=False, repr=False, compare=False)

    def __call__(self, obj: object) -> AbstractDoc | None:
        """Decide how to print an object.

        **Arguments:**

        - `obj`: anything.

        **Returns:**

        A document, or `None` for an object that `wadler_lindig` prints well by itself.
        """
        if not _is_dataclass_itself(obj) and self.truncate_leaf(obj):
            return TextDoc(f"{type(obj).__name__}(...)")
        if hasattr(type(obj), "__pdoc__"):
            return None
        if isinstance(obj, (jax.Array, np.ndarray)) or (self.struct_as_array and isinstance(obj, jax.ShapeDtypeStruct)):
            return _array(obj) if self.short_arrays else None
        if isinstance(obj, (jax.custom_jvp, jax.custom_vjp)):
            return self.document(obj.fun)
        if isinstance(obj, jtu.Partial):
            return self._named("Partial", [("func", obj.func), ("args", obj.args), ("keywords", obj.keywords)])
        if dataclasses.is_dataclass(type(obj)):
            text = own_repr(obj, is_root=self.seen_ids == {id(obj)})
            return self._dataclass(obj) if text is None else TextDoc(text)
        return None

    def document(self, obj: Any) -> AbstractDoc:
        """Make the document of an object: of the root, or of one inside an object that the hook prints."""
        return pdoc(obj, indent=self.indent, short_arrays=self.short_arrays, custom=self, seen_ids=self.seen_ids)

    def _dataclass(self, obj: Any) -> AbstractDoc | None:
        """Print a dataclass whose private fields `wadler_lindig` would misname, if it is one."""
        shown = [field for field in dataclasses.fields(obj) if field.repr]
        # It takes away an underscore and the name of the object's class. But mangling gives a private class no second
        # underscore, and an inherited field keeps the name of the class that it was declared in.
        prefix = f"_{type(obj).__name__}"
        if all(_unmangled(obj, field.name) == field.name.removeprefix(prefix) for field in shown):
            return None
        pairs: list[tuple[str, Any]] = []
        for field in shown:
            value = getattr(obj, field.name, _UNINITIALISED)
            if value is not field.default:
                pairs.append((_unmangled(obj, field.name), value))
        return self._named(type(obj).__qualname__, pairs)

    def _named(self, name: str, pairs: list[tuple[str, Any]]) -> AbstractDoc:
        items = [TextDoc(f"{key}=") + self.document(value) for key, value in pairs]
        return bracketed(TextDoc(f"{name}("), items, comma, TextDoc(")"), self.indent)


_UNINITIALISED: Final = TextDoc("<uninitialised>")


def _unmangled(obj: object, name: str) -> str:
    """Give the name of a field as it was written, `__x` and not `_Class__x`."""
    for base in type(obj).__mro__:
        prefix = f"_{base.__name__.lstrip('_')}"
        if name.startswith(f"{prefix}__"):
            return name.removeprefix(prefix)
    return name


def _is_dataclass_itself(obj: Any) -> bool:
    """Whether this is a class with fields. `wadler_lindig` asks about it to print its name, which is not a node."""
    return isinstance(obj, type) and dataclasses.is_dataclass(obj)


def _array(array: Any) -> AbstractDoc:
    """Summarise a JAX or NumPy array, or what stands for one."""
    # The dtype of the gradient of an integer is a NumPy structure in disguise.
    dtype = "float0" if array.dtype == jax.dtypes.float0 else str(array.dtype)
    if getattr(array, "weak_type", False):
        dtype = f"weak_{dtype}"
    return array_summary(array.shape, dtype, kind="numpy" if isinstance(array, np.ndarray) else None)
