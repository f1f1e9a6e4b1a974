"""Which dataclasses print themselves: those whose class, or a base of it, was given a `__repr__` by hand.

Such a `__repr__` is often built on the printing of this library, with `super().__repr__()` in a `Module` or with
`tree_pformat(self)` in any class. Then that inner call means the fields, whatever the `__repr__` makes of them.
"""

import threading
from types import FunctionType
from typing import Any, Final

# As in `reprlib`: the objects that are printing themselves, by thread; and whether they have asked for their fields.
_printing_themselves: Final[dict[tuple[int, int], bool]] = {}


def own_repr(obj: Any, *, is_root: bool) -> str | None:
    """Get the text of a `__repr__` that was written by hand.

    A `__repr__` counts as written by hand unless `dataclasses` made it or it has a true attribute `__tree_pformat__`,
    which says that it does nothing but call `tree_pformat`.

    **Arguments:**

    - `obj`: a dataclass.
    - `is_root`: whether `obj` is what is to be printed, rather than something inside.

    **Returns:**

    The text, or `None` if the fields are to be printed: if there is no such `__repr__`, or if it is at work and asks
    for them. A root whose `__repr__` asks at all is printed by its fields, as nobody can tell who asked.

    **Example**
    ```python
    >>> import dataclasses
    >>> @dataclasses.dataclass
    ... class Secret:
    ...     value: int
    ...     def __repr__(self):
    ...         return "<secret>"
    >>> own_repr(Secret(3), is_root=False)
    '<secret>'

    ```
    """
    printer = type(obj).__repr__
    if not isinstance(printer, FunctionType) or getattr(printer, "__tree_pformat__", False) or _is_generated(printer):
        return None
    key = (threading.get_ident(), id(obj))
    if key in _printing_themselves:
        _printing_themselves[key] = True
        return None
    _printing_themselves[key] = False
    try:
        text = repr(obj)
    finally:
        asked_for_fields = _printing_themselves.pop(key)
    return None if is_root and asked_for_fields else text


def _is_generated(printer: FunctionType) -> bool:
    # `dataclasses` compiles a function from text and wraps it in a guard against recursion.
    compiled = getattr(printer, "__wrapped__", None)
    return isinstance(compiled, FunctionType) and compiled.__code__.co_filename == "<string>"
