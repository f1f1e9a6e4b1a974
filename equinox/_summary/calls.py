"""The calls of Modules that happen while a model is called abstractly: what went in, and what came out.

Python tells a profiler when a function is called and returns. That is all it takes to see the calls of `__call__`
methods, however they come about: directly, or inside of `vmap`, `scan`, `jit` or a gradient. Models need no hooks.
"""

import dataclasses
import inspect
import itertools
import sys
from types import FrameType
from typing import Any, Final, TypeAlias

import jax

from .._module import Module
from .._places import TRANSPARENT, NodePath, Nodes, likeness, receiver
from .._transforms.eval_shape import filter_eval_shape
from .._transforms.wrapped import BoundWrapped
from .._tree.predicates import is_array

_PyTree: TypeAlias = Any

# JAX does not trace a function again that it has traced before. In a context of its own, it has not.
_context: Final = jax.make_user_context(None)  # type: ignore[no-untyped-call] # JAX has no annotations there
_contexts: Final = itertools.count()


@dataclasses.dataclass
class Call:
    """One call of a Module, with a `jax.ShapeDtypeStruct` for each array."""

    module: Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    #: The arguments by name.
    inputs: dict[str, Any]
    output: _PyTree = None


def record_calls(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[NodePath, list[Call]]:
    """Call a model abstractly, and list the calls of the Modules in it by their key paths."""
    calls: dict[NodePath, list[Call]] = {}

    def call(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recorder = _Recorder(model, calls)
        # What observes this thread already goes on when this is over. (That of `cProfile` cannot, as of Python 3.11.)
        previous = sys.getprofile()
        sys.setprofile(recorder)
        try:
            return model(*args, **kwargs)
        finally:
            sys.setprofile(previous if callable(previous) else None)

    with _context(next(_contexts)):
        filter_eval_shape(call, model, args, kwargs)
    return calls


class _Recorder:
    """A profiler: what Python calls whenever a function is called or returns."""

    def __init__(self, model: Any, calls: dict[NodePath, list[Call]]) -> None:
        self._nodes = Nodes([("", model)])
        self._calls = calls
        #: What is running, outermost first.
        self._stack: list[_Running] = []

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        if event == "call" and frame.f_code.co_name == "__call__":
            module = receiver(frame)
            if module is not None:
                self._enter(frame, module)
        elif event == "return" and self._stack and self._stack[-1].frame is frame:
            call = self._stack.pop().call
            if call is not None:
                call.output = _structs(value)

    def _enter(self, frame: FrameType, module: Module) -> None:
        outer = self._stack[-1] if self._stack else _Running(frame, None, (), None)
        path = self._nodes.find(module, outer.path)
        called = _called(module)
        # A decorated `__call__` calls another one, for the same Module; a wrapper calls what it wraps.
        is_same = module is outer.module or (isinstance(outer.module, TRANSPARENT) and path in (None, outer.path))
        call = None
        if called is not None and path is not None and not (is_same and outer.is_part_of_call):
            args, kwargs = _arguments(frame)
            call = Call(*_structs((called, args, kwargs, _by_name(called, args, kwargs))))
            self._calls.setdefault(path, []).append(call)
        is_part_of_call = call is not None or (is_same and outer.is_part_of_call)
        self._stack.append(_Running(frame, module, outer.path if path is None else path, call, is_part_of_call))


@dataclasses.dataclass
class _Running:
    """A `__call__` that has not returned yet."""

    frame: FrameType
    module: Module | None
    #: The place of the Module, or of what is around it if that is not known.
    path: NodePath
    #: What to complete when it returns.
    call: Call | None
    #: Whether the call of the Module at that place is recorded already, by this or by what has called this.
    is_part_of_call: bool = False


def _called(module: Module) -> Module | None:
    """The Module that is called when another one is: itself, unless that is a wrapper; None if it is a function."""
    if not isinstance(module, TRANSPARENT):
        return module
    inner: Any = module.__wrapped__
    if isinstance(module, BoundWrapped):
        inner = inner.__self__ if inner.__name__ == "__call__" else None
    return _called(inner) if isinstance(inner, Module) else None


def _arguments(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a method, without `self`."""
    names, varargs, varkw, values = inspect.getargvalues(frame)
    count = frame.f_code.co_argcount
    args = [values[name] for name in names[:count]] + (list(values[varargs]) if varargs else [])
    return tuple(args[1:]), {name: values[name] for name in names[count:]} | (values[varkw] if varkw else {})


def _by_name(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        return inspect.signature(module).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {"args": args, **kwargs}


def _structs(tree: _PyTree) -> _PyTree:
    return jax.tree.map(_struct, tree)


def _struct(leaf: Any) -> Any:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if is_array(leaf) else leaf  # type: ignore[no-untyped-call] # JAX has no annotations there


def call_of_twin(path: NodePath, calls: dict[NodePath, list[Call]]) -> list[Call]:
    """Find the calls of a Module that JAX has not traced because it had just traced another one just like it.

    That happens inside of compiled functions. So some Module around this one has been called, and one that looks the
    same has been called with arguments that look the same.
    """
    for end in reversed(range(len(path) + 1)):
        if path[:end] in calls:
            mine = calls[path[:end]][0]
            for twin, (other, *_) in calls.items():
                inside = (*twin, *path[end:])
                if inside in calls and _look_the_same(mine, other):
                    return calls[inside]
            return []
    return []


def _look_the_same(first: Call, second: Call) -> bool:
    return likeness(first.module, second.module) > 0 and _types_in(first) == _types_in(second)


def _types_in(call: Call) -> list[Any]:
    leaves = jax.tree.leaves((call.module, call.inputs))
    return [(leaf.shape, leaf.dtype) for leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct)]
