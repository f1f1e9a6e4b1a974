"""`assert_max_traces`: count how often a function is traced, and complain when it is more often than expected."""

import types
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, overload

import jax

from .._jax_tree import tree_flatten
from .._module import field, module_update_wrapper
from .._sentinel import sentinel
from .._transforms.arguments import Arguments, name_of
from .._transforms.conceal import static_key
from .._transforms.wrapped import BoundWrapped, Wrapped, as_decorator, check_callable
from .._tree.predicates import is_array
from .._tree.pretty import tree_pformat

_F = TypeVar("_F", bound=Callable[..., Any])


class _Decorator(Protocol):
    def __call__(self, fn: _F, /) -> _F: ...


class _Record:
    """How often one function has been called, and with what; shared by all copies of the tree that the function is."""

    def __init__(self) -> None:
        self.count = 0
        #: For each argument, what has been seen in its place: to compare, and to show.
        self.seen: dict[str, list[tuple[Hashable, str]]] = {}

    def add(self, arguments: dict[str, Any]) -> list[str]:
        """Note down a call; returns the names of those arguments that are new."""
        self.count += 1
        new: list[str] = []
        for name, value in arguments.items():
            seen = self.seen.setdefault(name, [])
            key = _abstract(value)
            if not any(key == other for other, _ in seen):
                seen.append((key, tree_pformat(value, struct_as_array=True)))
                new.append(name)
        return new


def _abstract(value: Any) -> Hashable:
    """What a function that is traced can know about an argument."""
    leaves, treedef = tree_flatten(value)
    return treedef, tuple(
        (leaf.shape, leaf.dtype, getattr(leaf, "weak_type", False))
        if is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)
        else static_key(leaf)
        for leaf in leaves
    )


class _MaxTraces(Wrapped):
    """A function that counts its calls."""

    _max_traces: int | None = field(static=True)
    _record: _Record = field(static=True)

    @property
    def count(self) -> int:
        return self._record.count

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        names = Arguments(self._function)
        args, kwargs = names.canonical(args, kwargs)
        new = self._record.add(dict(zip(names.names(len(args)), args, strict=True)) | kwargs)
        if self._max_traces is not None and self._record.count > self._max_traces:
            raise RuntimeError(self._too_many(new))
        return self._function(*args, **kwargs)

    def _too_many(self, new: list[str]) -> str:
        start = (
            f"`{name_of(self._function)}` can only be traced {self._max_traces} times, and this is time number "
            f"{self._record.count}. "
        )
        if not new:
            return f"{start}No argument could be found that is responsible: each is like one in an earlier call."
        *earlier, (_, now) = self._record.seen[new[0]]
        was = "\n".join(text for _, text in earlier) or "(it was not passed before)"
        return f"{start}The argument `{new[0]}` is responsible. It is\n{now}\nand was\n{was}"


@overload
def assert_max_traces(fn: _F, *, max_traces: int | None) -> _F: ...
@overload
def assert_max_traces(*, max_traces: int | None) -> _Decorator: ...
def assert_max_traces(fn: Any = sentinel, *, max_traces: int | None) -> Any:
    """Raise an error when a function is traced more often than expected.

    It goes inside of what traces: `filter_jit(assert_max_traces(f, max_traces=1))`. Every call counts.

    **Arguments**

    - `fn`: a function, or any other callable. Without it, the result is a decorator.
    - `max_traces`: how often it may be called; `None` is to count only, for [`get_num_traces`][].

    **Returns**

    A callable with the signature of `fn`.

    **Raises**

    - `RuntimeError`, when called: once too often. The message names an argument that was different before.
    - `TypeError`: `fn` is not callable.

    **Example**
    ```python
    >>> @eqx.filter_jit
    ... @eqx.debug.assert_max_traces(max_traces=1)
    ... def double(x):
    ...     return 2 * x
    >>> double(jnp.arange(3))
    Array([0, 2, 4], dtype=int32)
    >>> double(jnp.arange(4))
    Traceback (most recent call last):
        ...
    RuntimeError: `double` can only be traced 1 times, and this is time number 2. The argument `x` is responsible...

    ```
    """
    if fn is sentinel:
        return as_decorator(assert_max_traces, {"max_traces": max_traces})
    check_callable("assert_max_traces", fn)
    return module_update_wrapper(_MaxTraces(fn, "assert_max_traces", max_traces, _Record()))


def get_num_traces(fn: Callable[..., Any]) -> int:
    """Say how often a function has been traced so far.

    **Arguments**

    - `fn`: what [`assert_max_traces`][] returned, or that inside of other wrappers, such as `filter_jit` and `jax.jit`.

    **Returns**

    The number of calls.

    **Raises**

    - `ValueError`: `assert_max_traces` has not been applied.

    **Example**
    ```python
    >>> double = eqx.filter_jit(eqx.debug.assert_max_traces(lambda x: 2 * x, max_traces=None))
    >>> x = double(jnp.arange(3)), double(jnp.arange(3)), double(jnp.arange(4))
    >>> eqx.debug.get_num_traces(double)
    2

    ```
    """
    inner: Any = fn
    while not isinstance(inner, _MaxTraces):
        if isinstance(inner, (types.MethodType, BoundWrapped)):
            inner = inner.__func__
        elif hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        else:
            raise ValueError(
                f"argument `fn` of `get_num_traces`: `{name_of(fn)}` has not been wrapped by `assert_max_traces`."
            )
    return inner.count
