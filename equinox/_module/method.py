"""What a function in the body of a Module class becomes, so that bound methods are PyTrees."""

import types
from collections.abc import Callable
from typing import Any, ClassVar, Final

import jax


#: `jax.jit` results bind like functions, so they are methods too.
_METHOD_TYPES: Final = (types.FunctionType, type(jax.jit(lambda: None)))


def is_dunder(name: str) -> bool:
    """Whether Python itself gives the name a meaning, as it does to `__call__`."""
    return name.startswith("__") and name.endswith("__")


def is_method(name: str, value: object) -> bool:
    """Whether `value`, found under `name` in a class body, is to become a [`Method`][]."""
    return isinstance(value, _METHOD_TYPES) and not is_dunder(name)


class Method:
    """A function in a Module's class body: the function itself when read from the class, bound when read from an instance.

    Python's own bound methods are opaque objects. These are PyTrees whose leaves are those of the instance.
    """

    #: How to bind, and the type of the result, which is a Module and hence is made later than this class.
    bind: ClassVar[Callable[[Any, Any], Any]]
    bound_type: ClassVar[type]

    def __init__(self, function: Callable[..., Any], is_inherited_from_mixin: bool = False) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.is_inherited_from_mixin = is_inherited_from_mixin

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self.__wrapped__
        return Method.bind(self.__wrapped__, instance)

    def __repr__(self) -> str:
        return f"<method {self.__wrapped__!r}>"


def adopt_methods(cls: type, field_names: frozenset[str], is_module_class: Callable[[type], bool]) -> None:
    """Turn the functions in the body of `cls`, and those it inherits from plain mixin classes, into methods."""
    for name, value in list(vars(cls).items()):
        if is_method(name, value) and name not in field_names:
            type.__setattr__(cls, name, Method(value))
    for mixin in cls.__mro__[1:]:
        if is_module_class(mixin) or mixin.__module__ in ("builtins", "typing", "collections.abc", "abc"):
            continue
        for name, value in vars(mixin).items():
            if is_method(name, value) and name not in field_names and _definer(cls, name) is mixin:
                type.__setattr__(cls, name, Method(value, is_inherited_from_mixin=True))


def _definer(cls: type, name: str) -> type | None:
    """The class in whose body the attribute `name` of `cls` was really written."""
    for base in cls.__mro__:
        found = vars(base).get(name)
        if found is not None and not (type(found) is Method and found.is_inherited_from_mixin):
            return base
    return None
