"""`jitf` and `filter_jit`: compile a function, tracing some leaves of its arguments and fixing the others."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import jax

from .._module import field, module_update_wrapper
from .._sentinel import sentinel
from .._tree.predicates import is_array, is_array_like
from .aot import AheadOfTime
from .dispatch import Dispatcher
from .options import ById, Donation, JitOptions
from .recent import SELECTED_KINDS
from .selection import ByFunction, make_selection
from .wrapped import BoundWrapped, Wrapped, as_decorator, check_callable, reject_removed_options

#: What the stub of this module asks, to show checkers different signatures. Here nothing depends on it.
MYPY: Final = False
PYREFLY: Final = False


class Jitted(Wrapped, AheadOfTime[..., Any]):
    """A function compiled as needed."""

    _options: JitOptions = field(static=True)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._dispatcher.call(args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name != "_dispatcher":
            raise AttributeError(f"`{self._transformation}` of a function has no attribute {name!r}.")
        # Not a field: it follows from the fields, and is made again when it is missing after a trip through a PyTree.
        dispatcher = Dispatcher(self._function, self._options)
        object.__setattr__(self, name, dispatcher)
        return dispatcher

    def _stage(self) -> tuple[Dispatcher, tuple[Any, ...]]:
        return self._dispatcher, ()

    def _bound_type(self) -> type[BoundWrapped]:
        return BoundJitted


class BoundJitted(BoundWrapped, AheadOfTime[..., Any]):
    """A compiled method together with its instance."""

    def _stage(self) -> tuple[Dispatcher, tuple[Any, ...]]:
        dispatcher: Dispatcher = self.__func__._dispatcher  # what `Jitted` bound
        return dispatcher, (self.__self__,)


def _jit_options(options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Options for `jax.jit` in a form that can be compared and hashed."""
    return tuple((name, _hashable(value)) for name, value in sorted(options.items()))


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return ById(value, id(value))
    return value


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        return (value,)
    try:
        return (operator.index(value),)
    except TypeError:
        return tuple(item if isinstance(item, str) else operator.index(item) for item in value)


def _no_function() -> None: ...


def _check_jit_options(options: dict[str, Any], fun: Callable[..., Any] = _no_function) -> None:
    """Raise JAX's error for options that it does not have."""
    # Shardings may have places for static leaves, which JAX knows nothing of.
    jax.jit(fun, **{name: value for name, value in options.items() if name not in ("in_shardings", "out_shardings")})


def _wrap(transformation: str, fun: Callable[..., Any], options: JitOptions) -> Jitted:
    return module_update_wrapper(Jitted(fun, transformation, options))


def jitf(
    fun: Any = sentinel,
    *,
    filter_fn: Callable[[Any], bool] | None = None,
    filter_tree: Any = None,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    **jit_kwargs: Any,
) -> Any:
    """Compile a function, tracing those leaves of its arguments that a filter selects. Wraps `jax.jit`.

    Leaves that are not selected are static: the function sees them as they are, and is compiled anew for other ones
    (other in type or by `==`). Of the output, everything that `jax.jit` could return is an array, and every other leaf
    comes back as the object it is, so that a training step can return a whole model.

    **Arguments**

    - `fun`: a pure function, or any other callable. Without it, the result is a decorator.
    - `filter_fn`: called with each leaf of each argument; returns `True` if the leaf is to be traced, `False` if it is
      static. [`is_array_like`][equinox.is_array_like] traces all that can be traced.
    - `filter_tree`: instead, a tree of booleans with the structure of the argument; for several arguments, a tuple of
      them. [`tree_at`][equinox.tree_at] helps to make it.
    - `static_argnums`, `static_argnames`: arguments that are static as a whole. `filter_tree` leaves them out.
    - `donate_argnums`, `donate_argnames`: arguments whose traced leaves may be overwritten with the results.
    - `**jit_kwargs`: the other options of `jax.jit`. `in_shardings` and `out_shardings` are prefixes of the arguments
      and the output of `fun`.

    **Returns**

    A callable with the signature of `fun`. It is a PyTree with the leaves of `fun`, and binds like a function when it
    is found in a class body. It has the methods `trace`, `lower`, `eval_shape`, `explain` and `clear_cache`, which type
    checkers know through [`aot`][equinox.aot]; `explain(...)` says whether a call with these arguments would be
    compiled anew, and if so, because of which leaf.

    **Raises**

    - `ValueError`: not precisely one of `filter_fn` and `filter_tree` is given; or `filter_tree` does not have the
      structure of the arguments.
    - `TypeError`: a static leaf cannot be hashed; a selected leaf cannot be traced; `filter_fn` returned no bool;
      `jax.jit` has no such option.

    **Example**
    ```python
    >>> import functools as ft
    >>> @ft.partial(eqx.jitf, filter_fn=eqx.is_array)
    ... def apply(model, x):
    ...     return model["activation"](model["weight"] * x)
    >>> apply({"weight": jnp.array(2.0), "activation": jax.nn.relu}, jnp.array(3.0))
    Array(6., dtype=float32, weak_type=True)

    ```
    """
    selection = make_selection("jitf", filter_fn, filter_tree)
    options: dict[str, Any] = {"static_argnums": static_argnums, "static_argnames": static_argnames}
    options |= {"donate_argnums": donate_argnums, "donate_argnames": donate_argnames}
    # Some are read more than once, which an iterator would not survive.
    options = {name: value if value is None else _as_tuple(value) for name, value in options.items()}
    if fun is sentinel:
        _check_jit_options(jit_kwargs)
        return as_decorator(jitf, options | jit_kwargs | {"filter_fn": filter_fn, "filter_tree": filter_tree})
    check_callable("jitf", fun)
    _check_jit_options(options | jit_kwargs, fun)  # and raises an error for arguments that the function does not have
    donated = (*(options["donate_argnums"] or ()), *(options["donate_argnames"] or ()))
    is_known = isinstance(selection, ByFunction) and selection.function in SELECTED_KINDS
    return _wrap(
        "jitf",
        fun,
        JitOptions(
            predicate=filter_fn if is_known else None,
            selection=selection,
            is_output=is_array_like,
            static_argnums=options["static_argnums"] or (),
            static_argnames=options["static_argnames"] or (),
            donation=Donation(donated) if donated else None,
            jit=_jit_options(jit_kwargs),
        ),
    )


_DONATIONS: dict[str, Donation | None] = {
    "all": Donation(None, is_silent=True),
    "all-except-first": Donation(None, except_first=True, is_silent=True),
    "warn": Donation(None),
    "warn-except-first": Donation(None, except_first=True),
    "none": None,
}


def filter_jit(fun: Any = sentinel, *, donate: str = "none", **jitkwargs: Any) -> Any:
    """Compile a function, tracing all arrays among the leaves of its arguments. Wraps `jax.jit`.

    Every leaf that is not an array (see [`is_array`][equinox.is_array]) is static: the function sees it as it is, and
    is compiled anew for other ones (other in type or by `==`). So is every leaf of the output: it comes back as the
    object that it is. The arrays of `fun` itself, if it is a Module, are inputs like those of the arguments.

    **Arguments**

    - `fun`: a pure function, or any other callable. Without it, the result is a decorator.
    - `donate`: which arrays may be overwritten with the results: those of all arguments and of `fun` itself (`"all"`),
      those of all but the first argument (`"all-except-first"`), or none (`"none"`). `"warn"` and `"warn-except-first"`
      do the same and warn of arrays that could not be used.
    - `**jitkwargs`: `inline`, `keep_unused`, `device`, `backend`, `compiler_options`, as in `jax.jit`; `in_shardings`
      and `out_shardings`, prefixes of the tuple of positional arguments and of the output of `fun`, with a sharding or
      `None` at each leaf. What they say of a leaf that is no array does not count.

    **Returns**

    A callable with the signature of `fun`. It is a PyTree with the leaves of `fun`, and binds like a function when it
    is found in a class body. It has the methods `trace`, `lower`, `eval_shape`, `explain` and `clear_cache`, which type
    checkers know through [`aot`][equinox.aot]; `explain(...)` says whether a call with these arguments would be
    compiled anew, and if so, because of which leaf.

    **Raises**

    - `ValueError`: an option of `jax.jit` that filtering takes the place of; or a bad value of `donate`.
    - `TypeError`: `fun` is not callable; `jax.jit` has no such option.
    - `TypeError` and `ValueError` (one exception that is both), when called: a static leaf cannot be hashed.

    **Example**
    ```python
    >>> @eqx.filter_jit
    ... def apply(model, x):
    ...     return model["activation"](model["weight"] * x)
    >>> apply({"weight": jnp.array(2.0), "activation": jax.nn.relu}, jnp.array(3.0))
    Array(6., dtype=float32, weak_type=True)

    ```
    """
    for name in ("static_argnums", "static_argnames", "donate_argnums"):
        if name in jitkwargs:
            raise ValueError(
                f"`filter_jit` does not take `{name}`: which leaves are traced follows from what they are. "
                "Use `donate` for donation, and `jitf` to choose leaves."
            )
    reject_removed_options("filter_jit", jitkwargs, "default", "fn", "args", "kwargs", "out")
    if donate not in _DONATIONS:
        raise ValueError(f"`donate` must be one of {', '.join(map(repr, _DONATIONS))}. Found {donate!r}.")
    _check_jit_options(jitkwargs)
    if fun is sentinel:
        return as_decorator(filter_jit, {"donate": donate} | jitkwargs)
    check_callable("filter_jit", fun)
    jit = _jit_options(jitkwargs)
    options = JitOptions(predicate=is_array, selection=None, is_output=is_array, donation=_DONATIONS[donate], jit=jit)
    return _wrap("filter_jit", fun, options)
