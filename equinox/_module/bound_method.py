"""`BoundMethod`: a method together with its instance, as a PyTree whose leaves are the instance's."""

import types
from collections.abc import Callable
from typing import Any

from .fields import field
from .method import Method
from .module import Module


class BoundMethod(Module):
    """What reading a method from an instance of a Module gives. Behaves like Python's own bound methods.

    It is not bound again when it is found in a class body, and it is equal to another one if function and instance are.
    """

    __func__: Callable[..., Any] = field(static=True)
    __self__: Any

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    @property
    def __wrapped__(self) -> types.MethodType:
        """The bound method that Python would have made; `inspect.signature` finds the signature through it."""
        return types.MethodType(self.__func__, self.__self__)

    def __getattr__(self, name: str) -> Any:
        # `__name__`, `__qualname__` and everything else that was set on the function.
        if name in ("__func__", "__self__"):  # not there yet while being unpickled
            raise AttributeError(name)
        return getattr(self.__func__, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _bind, (self.__func__, self.__self__)


# Instances are to show the annotations of their function, which `__getattr__` can do if the class has none.
if "__annotations__" in vars(BoundMethod):
    del BoundMethod.__annotations__

_blank: Any = BoundMethod._plan.layout.blank  # type: ignore[attr-defined] # set when the class is made


def _bind(function: Any, instance: Any) -> BoundMethod:
    """Make a `BoundMethod` the short way: it is made whenever a method is called."""
    method = _blank()
    method.__dict__ = {
        "__func__": function,
        "__self__": instance,
        # Classes have these two, so that they would not be looked for in the function.
        "__module__": function.__module__,
        "__doc__": function.__doc__,
    }
    method.__class__ = BoundMethod
    return method  # type: ignore[no-any-return] # its class has just been set


Method.bind = _bind
Method.bound_type = BoundMethod
