"""`BoundMethod`: a method together with its instance, as a PyTree whose leaves are the instance's."""

import operator
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import method
from .fields import field
from .module import Module


class _OfFunction(str):
    """A string attribute of a class, in place of which its instances show that of their function."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else getattr(instance.__wrapped__, self._name)

    def __reduce__(self) -> tuple[Any, ...]:
        # `pickle` finds a class by its `__module__`, and accepts nothing but a plain string.
        return str, (str(self),)


class BoundMethod(Module):
    __doc__ = _OfFunction(
        """What reading a method from an instance of a Module gives. Behaves like Python's own bound methods.

        It is not bound again when it is found in a class body, and it is equal to another one if function and instance
        are.
        """
    )
    __module__ = _OfFunction(__name__)

    __func__: Callable[..., Any] = field(static=True)
    __self__: Any

    if TYPE_CHECKING:

        def __call__(self, /, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def __wrapped__(self) -> types.MethodType: ...

    else:
        # Python calls what it finds here, without a frame in between.
        __call__ = property(operator.attrgetter("__wrapped__"))

    def __getattr__(self, name: str) -> Any:
        # There are two ways to store function and instance, each of which gives the other: as the fields, which is what
        # `jax.tree.unflatten` does, and as `__wrapped__`, the method that Python would have made, which is what calling
        # it needs.
        attributes = vars(self)
        if "__wrapped__" not in attributes:
            if "__self__" not in attributes:
                raise AttributeError(f"This `BoundMethod` is not initialised, so it has no attribute {name!r}.")
            wrapped = types.MethodType(attributes["__func__"], attributes["__self__"])
            object.__setattr__(self, "__wrapped__", wrapped)
        if name == "__wrapped__":
            return attributes[name]
        if name == "__signature__":  # The function's own would include `self`.
            raise AttributeError(name)
        return getattr(attributes["__wrapped__"], name)

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundMethod, (self.__func__, self.__self__)


# So that `__getattr__` is asked for those of the function. (Not there to begin with as of Python 3.14.)
if "__annotations__" in vars(BoundMethod):
    del BoundMethod.__annotations__

method.bound_type = BoundMethod
