"""What a function in the body of a Module class becomes, so that bound methods are PyTrees."""

import functools
import types
from collections.abc import Callable
from typing import Any, Final

import jax

#: What `jax.jit` and `functools.lru_cache` return binds like a function, so it becomes a method too.
_METHOD_TYPES: Final = (types.FunctionType, type(jax.jit(lambda: None)), type(functools.lru_cache(lambda: None)))

#: `BoundMethod`. That is a Module, so it is made with the help of this file and only then assigned to this name.
bound_type: Any = None

_absent: Final = object()
_new: Final = object.__new__
_set_attribute: Final = object.__setattr__


class Method:
    """A function in a Module's class body: itself when read from the class, bound when read from an instance.

    Python's own bound methods are opaque objects. These are PyTrees whose leaves are those of the instance.
    """

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Any, *, is_from_mixin: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.is_from_mixin = is_from_mixin

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self.__wrapped__
        # Methods are read whenever they are called, so this goes past `BoundMethod.__init__`.
        bound = _new(bound_type)
        _set_attribute(bound, "__wrapped__", types.MethodType(self.__wrapped__, instance))
        return bound

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function, which `__init_subclass__` and class decorators find in the class's `__dict__` as this."""
        return self.__wrapped__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<method {self.__wrapped__!r}>"


def is_method(name: str, value: object) -> bool:
    """Whether `value`, found under `name` in a class body, is to become a [`Method`][].

    Not if Python itself gives the name a meaning, as it does to `__call__`.
    """
    return isinstance(value, _METHOD_TYPES) and not (name.startswith("__") and name.endswith("__"))


def mixin_methods(cls: type, is_module_class: Callable[[type], bool]) -> dict[str, Method]:
    """The methods that `cls` inherits from classes that are no Modules, whose functions are not Methods therefore."""
    return {
        name: Method(value, is_from_mixin=True)
        for base in cls.__mro__
        if not is_module_class(base)
        for name, value in vars(base).items()
        if is_method(name, value) and _definer(cls, name) is base
    }


def _definer(cls: type, name: str) -> type | None:
    """The class in whose body the attribute `name` of `cls` was written.

    A Method that a Module class got from a mixin was not written there: another class may come before the mixin now.
    """
    for base in cls.__mro__:
        found = vars(base).get(name, _absent)
        if found is not _absent and not (type(found) is Method and found.is_from_mixin):
            return base
    return None
