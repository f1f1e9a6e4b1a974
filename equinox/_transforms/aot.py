"""`aot`: what a compiled function can do besides being called."""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from .._errors import describe
from .._module import Module
from .dispatch import Dispatcher
from .stages import Lowered, Traced

if TYPE_CHECKING:  # loaded on first use
    from .explain import Explanation

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)


class AheadOfTime(Module, Generic[_P, _R_co]):
    """A compiled function: it can be called, and it has methods that compile without calling, and that explain."""

    @abc.abstractmethod
    def _stage(self) -> tuple[Dispatcher, tuple[Any, ...]]:
        """What dispatches calls, and the arguments that come before those of the call."""

    @abc.abstractmethod
    def __call__(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...

    def trace(self, /, *args: _P.args, **kwargs: _P.kwargs) -> Traced[_P, _R_co]:
        """Trace the function for these arguments. A `jax.ShapeDtypeStruct` may stand for any array."""
        return Traced(*self._stage(), args, kwargs)

    def lower(self, /, *args: _P.args, **kwargs: _P.kwargs) -> Lowered[_P, _R_co]:
        """Trace the function for these arguments and translate it for the compiler: `trace(...).lower()`."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """The output for these arguments, with `jax.ShapeDtypeStruct`s for arrays; nothing is computed."""
        return self.trace(*args, **kwargs).out_info

    def explain(self, /, *args: _P.args, **kwargs: _P.kwargs) -> "Explanation":
        """Say whether a call with these arguments would find a program that is there, and if not, why.

        Nothing is traced or computed, and a `jax.ShapeDtypeStruct` may stand for any array. A call that moves to other
        devices is compiled for those without being traced again; that counts as finding a program.

        **Returns**

        An object with `hit`, a `bool`; `differences`, in what the call differs from the nearest of those that the
        function has been traced for; and a readable `str`.

        **Raises**

        - `TypeError`: the function cannot be called with these arguments.

        **Example**
        ```python
        >>> @eqx.filter_jit
        ... def power(x, n):
        ...     return x**n
        >>> x = power(jnp.ones(3), 2)
        >>> eqx.aot(power).explain(jnp.zeros(3), 2).hit
        True
        >>> for difference in eqx.aot(power).explain(jnp.ones(4), 3).differences:
        ...     print(difference)
        argument `x`: shape was float32[3], is float32[4]
        argument `n`: static value was a value of type `int`: 2, is a value of type `int`: 3

        ```
        """
        from .explain import explain  # noqa: PLC0415 # loaded on first use

        dispatcher, bound = self._stage()
        return explain(dispatcher, (*bound, *args), kwargs)

    def clear_cache(self) -> None:
        """Forget what has been compiled for this function."""
        self._stage()[0].tables.clear()


def aot(fun: Callable[_P, _R]) -> AheadOfTime[_P, _R]:
    """Tell type checkers that a compiled function has methods, such as `lower` and `explain`.

    The methods are `trace`, `lower`, `eval_shape`, `explain` and `clear_cache`. To a type checker, a compiled function
    has the type of the function that it was made from, so that nothing of its signature is lost; the price is that its
    methods are unknown. This function returns its argument as something that has them, with the same parameters and
    the same result.

    **Arguments**

    - `fun`: what `jitf` or `filter_jit` returned, or a method that one of them decorates.

    **Returns**

    `fun` itself.

    **Raises**

    - `TypeError`: `fun` is not a function compiled by `jitf` or `filter_jit`.

    **Example**
    ```python
    >>> @eqx.filter_jit
    ... def double(x: jax.Array) -> jax.Array:
    ...     return 2 * x
    >>> compiled = eqx.aot(double).lower(jnp.ones(3)).compile()
    >>> compiled(jnp.arange(3.0))
    Array([0., 2., 4.], dtype=float32)
    >>> eqx.aot(double).eval_shape(jnp.ones(3))
    ShapeDtypeStruct(shape=(3,), dtype=float32)

    ```
    """
    if not isinstance(fun, AheadOfTime):
        raise TypeError(
            f"argument `fun` of `aot`: found {describe(fun)}, which was not compiled by `jitf` or `filter_jit`. "
            "Compile it first, as in `aot(filter_jit(fun))`."
        )
    return cast("AheadOfTime[_P, _R]", fun)
