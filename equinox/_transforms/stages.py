"""Compiling ahead of time: what `lower`, `trace` and `compile` give, with the arguments of the original function."""

import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import jax
import jax.stages

from .._runtime.guard import Guard
from .calls import CALL_ERRORS
from .conceal import reveal
from .dispatch import Dispatcher

if TYPE_CHECKING:  # importing it takes time
    from jax.extend.core import ClosedJaxpr

_P = ParamSpec("_P")
_R_co = TypeVar("_R_co", covariant=True)


class Traced(Generic[_P, _R_co]):
    """A function traced for given arguments; those of a method without its instance, which is kept in `bound`."""

    def __init__(
        self, dispatcher: Dispatcher, bound: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._dispatcher = dispatcher
        self._bound = bound
        traced, self._key, self._guard = dispatcher.trace((*bound, *args), kwargs)
        #: JAX's own object.
        self.traced = traced

    @property
    def jaxpr(self) -> "ClosedJaxpr":
        """The program, as a function of the flat list of arrays."""
        return self.traced.jaxpr  # type: ignore[no-any-return] # JAX's stages are not typed

    @property
    def out_info(self) -> _R_co:
        """The output, with `jax.ShapeDtypeStruct`s for arrays."""
        structs: _R_co = reveal(jax.tree.map(_as_struct, self.traced.out_info))
        return structs

    def lower(self) -> "Lowered[_P, _R_co]":
        """Translate the program for the compiler."""
        return Lowered(self._dispatcher, self._bound, self.traced.lower(), self._key, self._guard)


def _as_struct(leaf: Any) -> Any:
    # Older versions of JAX describe an output by a class of their own.
    if type(leaf).__module__.startswith("jax.") and not isinstance(leaf, jax.ShapeDtypeStruct):
        return jax.eval_shape(lambda: jax.numpy.empty(leaf.shape, leaf.dtype))
    return leaf


class Lowered(Generic[_P, _R_co]):
    """A function translated for the compiler, for given arguments."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        bound: tuple[Any, ...],
        lowered: jax.stages.Lowered,
        key: Hashable,
        guard: Guard,
    ) -> None:
        self._dispatcher = dispatcher
        self._bound = bound
        self._key = key
        self._guard = guard
        #: JAX's own object.
        self.lowered = lowered

    def as_text(self, *args: Any, **kwargs: Any) -> str:
        """The program as text; options as in `jax.stages.Lowered.as_text`."""
        return self.lowered.as_text(*args, **kwargs)

    def cost_analysis(self) -> Any:
        """JAX's estimate of what running the program costs."""
        return self.lowered.cost_analysis()

    def compile(self, compiler_options: dict[str, str | bool] | None = None) -> "Compiled[_P, _R_co]":
        """Compile.

        **Arguments**

        - `compiler_options`: as in `jax.stages.Lowered.compile`.
        """
        compiled = self.lowered.compile(compiler_options=compiler_options)
        return Compiled(self._dispatcher, self._bound, compiled, self._key, self._guard)


class Compiled(Generic[_P, _R_co]):
    """A compiled function.

    It takes the arguments of the original one, for which the static parts must be those that it was compiled with.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        bound: tuple[Any, ...],
        compiled: jax.stages.Compiled,
        key: Hashable,
        guard: Guard,
    ) -> None:
        self._dispatcher = dispatcher
        self._bound = bound
        self._key = key
        self._call = guard.wrap(compiled)
        #: JAX's own object.
        self.compiled = compiled

    def __call__(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        arrays, key = self._dispatcher.split((*self._bound, *args), kwargs)
        if key != self._key:
            raise TypeError(
                f"`{self._dispatcher.arguments.function_name}` was compiled for other static arguments: "
                f"{self._dispatcher.difference(self._key, key, (*self._bound, *args), kwargs)}. Lower and compile it "
                "again for these arguments, or call the function itself, which compiles as needed."
            )
        try:
            output: _R_co = reveal(self._call(*arrays))
        except CALL_ERRORS as error:
            self._dispatcher.locate_deleted(error, (*self._bound, *args), kwargs)
            if type(error) is not TypeError:
                raise
            # JAX, which sees a flat list of arrays, calls its items `arrays[0]` and so on.
            places = self._dispatcher.locate_dynamic((*self._bound, *args), kwargs)
            text = re.sub(r"Argument 'arrays\[(\d+)\]'", lambda found: places[int(found[1])], str(error))
            raise TypeError(text) from None
        return output

    def as_text(self) -> str:
        """The compiled program as text."""
        return str(self.compiled.as_text())

    def cost_analysis(self) -> Any:
        """The compiler's estimate of what running the program costs."""
        return self.compiled.cost_analysis()

    def memory_analysis(self) -> Any:
        """The compiler's count of the memory that running the program takes."""
        return self.compiled.memory_analysis()
