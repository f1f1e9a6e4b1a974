"""`announce_transform`: watch in which order transformations reach a place in a program."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from jax.interpreters import ad

from .._runtime.arrays import map_arrays
from .._runtime.primitive import FINALISATIONS, define_primitive

_T = TypeVar("_T")


def announce_transform(
    x: _T, name: str | None = None, intermediates: bool = False, announce: Callable[[str], Any] = print
) -> _T:
    """Say which transformations of JAX reach this place, and in which order. Does nothing else.

    An announcement lists, in the order in which they happened, what was applied: `vmap`, `jvp_p` (of which this is
    about the primals), `jvp_t` (the tangents), `transpose`; and then what came of it: `impl` (it was computed),
    `abstract` (it was traced), or `mlir` (it was translated for the compiler).

    **Arguments**

    - `x`: any PyTree. What reaches its arrays is announced.
    - `name`: what to begin each announcement with.
    - `intermediates`: announce every transformation when it is applied, too, before it is known what will come of it.
    - `announce`: called with each announcement.

    **Returns**

    `x`.

    **Example**
    ```python
    >>> @jax.jit
    ... @jax.vmap
    ... def double(x):
    ...     return 2 * eqx.debug.announce_transform(x)
    >>> double(jnp.arange(2.0))
    vmap:abstract
    vmap:mlir
    Array([0., 2.], dtype=float32)

    ```
    """

    def bind(arrays: Sequence[Any]) -> Sequence[Any]:
        return _Announcer(name, intermediates, announce).bind((), arrays)

    return map_arrays(bind, x)


class _Announcer:
    """What is the same for all announcements of one call."""

    def __init__(self, name: str | None, intermediates: bool, announce: Callable[[str], Any]) -> None:
        self._start = "" if name is None else f"({name}) "
        self._intermediates = intermediates
        self._announce = announce

    def end(self, stack: tuple[str, ...], last: str) -> None:
        self._announce(self._start + ":".join((*stack, last)))

    def pass_by(self, stack: tuple[str, ...], last: str) -> None:
        if self._intermediates:
            self.end(stack, last)

    def bind(self, stack: tuple[str, ...], arrays: Sequence[Any]) -> Sequence[Any]:
        outputs: Sequence[Any] = announce_jaxpr_p.bind(*arrays, announcer=self, stack=stack) if arrays else []
        return outputs

    def bind_perturbed(self, stack: tuple[str, ...], tangents: Sequence[Any]) -> list[Any]:
        """The same for those (co)tangents that are not symbolically zero."""
        present = iter(self.bind(stack, [tangent for tangent in tangents if type(tangent) is not ad.Zero]))
        return [tangent if type(tangent) is ad.Zero else next(present) for tangent in tangents]


def _impl(*arrays: Any, announcer: _Announcer, stack: tuple[str, ...]) -> Sequence[Any]:
    announcer.end(stack, "impl")
    return arrays


def _abstract_eval(*arrays: Any, announcer: _Announcer, stack: tuple[str, ...]) -> Sequence[Any]:
    announcer.end(stack, "abstract")
    return arrays


def _lower(*arrays: Any, announcer: _Announcer, stack: tuple[str, ...]) -> Sequence[Any]:
    announcer.end(stack, "mlir")
    return arrays


def _batch(arrays: Any, axes: Any, *, announcer: _Announcer, stack: tuple[str, ...]) -> tuple[Any, Any]:
    announcer.pass_by(stack, "vmap")
    return announcer.bind((*stack, "vmap"), arrays), axes


def _jvp(primals: Any, tangents: Any, *, announcer: _Announcer, stack: tuple[str, ...]) -> tuple[Any, Any]:
    announcer.pass_by(stack, "jvp")
    return announcer.bind((*stack, "jvp_p"), primals), announcer.bind_perturbed((*stack, "jvp_t"), tangents)


def _transpose(cotangents: Any, *arrays: Any, announcer: _Announcer, stack: tuple[str, ...]) -> list[Any]:
    del arrays
    announcer.pass_by(stack, "transpose")
    return announcer.bind_perturbed((*stack, "transpose"), cotangents)


announce_jaxpr_p: Final = define_primitive(
    "announce_transform",
    impl=_impl,
    abstract_eval=_abstract_eval,
    lower=_lower,
    batch=_batch,
    jvp=_jvp,
    transpose=_transpose,
)


def _finalise(*arrays: Any, announcer: _Announcer, stack: tuple[str, ...]) -> Sequence[Any]:
    del announcer, stack  # it has not been compiled yet, and will not be
    return arrays


FINALISATIONS[announce_jaxpr_p] = _finalise
