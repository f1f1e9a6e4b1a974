"""`backward_nan`: print what reaches a place on the way back through a program, to find where NaNs come from."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from .._jax_tree import tree_flatten
from .._runtime.arrays import is_jax_array, map_arrays
from .._runtime.error_if import error_if
from .._runtime.primitive import define_primitive

_T = TypeVar("_T")


def backward_nan(x: _T, name: str | None = None, terminate: bool = True) -> _T:
    """Print an intermediate result, and its cotangent, when a gradient is computed. Does nothing on the way forward.

    A derivative is often the first to be NaN although no value is. Wrapped around one intermediate result after the
    other, from the end of the program to its start, this shows which operation makes it so.

    **Arguments**

    - `x`: any PyTree.
    - `name`: what to print first.
    - `terminate`: raise an error if there is a NaN among the cotangents.

    **Returns**

    `x`.

    **Raises**

    - `EquinoxRuntimeError`: as [`error_if`][equinox.error_if], from the computation of the gradient.

    **Example**
    ```python
    >>> def loss(x):
    ...     y = eqx.debug.backward_nan(jnp.sin(x), name="sine")
    ...     return y**2
    >>> gradient = jax.grad(loss)(0.0)
    sine:
       primals=Array(0., dtype=float32, weak_type=True)
    cotangents=Array(0., dtype=float32, weak_type=True)

    ```
    """
    reporter = _Reporter(x, name, terminate)
    return map_arrays(lambda arrays: watch_p.bind(*arrays, reporter=reporter), x)


class _Reporter:
    """What is the same whenever one place is reported."""

    def __init__(self, x: Any, name: str | None, terminate: bool) -> None:
        leaves, self._treedef = tree_flatten(x)
        self._places = [i for i, leaf in enumerate(leaves) if is_jax_array(leaf)]
        self._others = [None if is_jax_array(leaf) else leaf for leaf in leaves]  # arrays are not to be kept
        self._start = "" if name is None else f"{name}:\n"
        self._terminate = terminate

    def report(self, primals: Sequence[Any], cotangents: Sequence[Any], which: Sequence[int]) -> list[Any]:
        """Print the primals and those cotangents that there are; returns the latter."""

        def show(primals: Sequence[Any], cotangents: Sequence[Any]) -> None:
            with_primals, with_cotangents = list(self._others), [None] * len(self._others)
            for place, primal in zip(self._places, primals, strict=True):
                with_primals[place] = primal
            for i, cotangent in zip(which, cotangents, strict=True):
                with_cotangents[self._places[i]] = cotangent
            trees = self._treedef.unflatten(with_primals), self._treedef.unflatten(with_cotangents)
            print(f"{self._start}   primals={trees[0]!r}\ncotangents={trees[1]!r}")  # noqa: T201 # this is what it is for

        jax.debug.callback(show, list(primals), list(cotangents), ordered=True)
        if not self._terminate:
            return list(cotangents)
        is_nan = functools.reduce(jnp.logical_or, [jnp.any(jnp.isnan(cotangent)) for cotangent in cotangents])
        return error_if(list(cotangents), is_nan, "`backward_nan` found a NaN among the cotangents, printed above.")


def _watch(*arrays: Any, reporter: _Reporter) -> Sequence[Any]:
    del reporter
    return arrays


def _watch_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, reporter: _Reporter) -> tuple[Any, Any]:
    every = tuple(range(len(primals)))
    return watch_p.bind(*primals, reporter=reporter), _bind(primals, tangents, reporter, every)


def _watch_batch(arrays: Sequence[Any], axes: Sequence[Any], *, reporter: _Reporter) -> tuple[Any, Any]:
    return watch_p.bind(*arrays, reporter=reporter), axes


def _bind(primals: Sequence[Any], tangents: Sequence[Any], reporter: _Reporter, which: Sequence[int]) -> list[Any]:
    """Bind `cotangents_p` to those tangents that are not symbolically zero."""
    is_present = [type(tangent) is not ad.Zero for tangent in tangents]
    present = list(itertools.compress(tangents, is_present))
    if not present:
        return list(tangents)
    places = tuple(itertools.compress(which, is_present))
    outputs = iter(cotangents_p.bind(*primals, *present, reporter=reporter, which=places))
    return [next(outputs) if there else tangent for there, tangent in zip(is_present, tangents, strict=True)]


def _cotangents(*operands: Any, reporter: _Reporter, which: tuple[int, ...]) -> Sequence[Any]:
    del reporter
    return operands[len(operands) - len(which) :]


def _cotangents_jvp(
    operands: Sequence[Any], tangents: Sequence[Any], *, reporter: _Reporter, which: tuple[int, ...]
) -> tuple[Any, Any]:
    count = len(operands) - len(which)
    outputs = cotangents_p.bind(*operands, reporter=reporter, which=which)
    return outputs, _bind(operands[:count], tangents[count:], reporter, which)


def _cotangents_batch(
    operands: Sequence[Any], axes: Sequence[Any], *, reporter: _Reporter, which: tuple[int, ...]
) -> tuple[Any, Any]:
    return cotangents_p.bind(*operands, reporter=reporter, which=which), axes[len(axes) - len(which) :]


def _cotangents_transpose(
    cotangents: Sequence[Any], *operands: Any, reporter: _Reporter, which: tuple[int, ...]
) -> list[Any]:
    primals = operands[: len(operands) - len(which)]
    is_present = [type(cotangent) is not ad.Zero for cotangent in cotangents]
    present = list(itertools.compress(cotangents, is_present))
    if present:
        present = reporter.report(primals, present, list(itertools.compress(which, is_present)))
    outputs = iter(present)
    return [
        *[None] * len(primals),
        *(next(outputs) if there else ct for there, ct in zip(is_present, cotangents, strict=True)),
    ]


#: The identity; its tangents go through `cotangents_p`.
watch_p: Final = define_primitive(
    "backward_nan", impl=_watch, abstract_eval=_watch, lower=_watch, batch=_watch_batch, jvp=_watch_jvp
)
#: Of the primals and the tangents of some of them, those tangents. Transposed, it reports their cotangents.
cotangents_p: Final = define_primitive(
    "backward_nan_cotangents",
    impl=_cotangents,
    abstract_eval=_cotangents,
    lower=_cotangents,
    batch=_cotangents_batch,
    jvp=_cotangents_jvp,
    transpose=_cotangents_transpose,
)
