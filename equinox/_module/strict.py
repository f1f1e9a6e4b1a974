"""`StrictConfig`, kept so that old class definitions still work."""

from typing import Any


def StrictConfig(force_abstact: bool = False, force_abstract: bool = False, **kwargs: Any) -> bool | None:  # noqa: N802
    """Old way to say that a class is abstract: `class M(Module, strict=StrictConfig(force_abstract=True))`.

    Write `class M(Module, is_abstract=True)` instead.

    **Arguments**

    - `force_abstact`, `force_abstract`: whether the class is abstract. (The first is how it used to be spelled.)
    - `**kwargs`: ignored.

    **Returns**

    What the class keyword `strict` understands: `None` for an abstract class, else `False`.

    **Example**
    ```python
    >>> class Abstract(eqx.Module, strict=eqx.StrictConfig(force_abstract=True)):
    ...     pass
    >>> Abstract()
    Traceback (most recent call last):
        ...
    TypeError: Cannot instantiate abstract Module `Abstract`: ...

    ```
    """
    del kwargs
    return None if force_abstact or force_abstract else False
