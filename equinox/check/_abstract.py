"""Call a function without computing anything: JAX traces it for arrays of which only shape and dtype are known."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from .._tree.partition import combine, partition
from .._tree.predicates import is_array, is_array_like
from ._locate import failure_of
from ._notation import UsageError
from ._result import Failure, Phase, PyTree


class FailedError(Exception):
    """The checked code raised an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def call_abstractly(
    phase: Phase,
    names: Sequence[str],
    function: Callable[..., PyTree],
    *trees: PyTree,
) -> PyTree:
    """Call a function with arrays of unknown content for all arrays and `jax.ShapeDtypeStruct`s in its arguments.

    **Arguments**

    - `phase`: what the call is for.
    - `names`: one for each of the trees, with which the key paths into it begin.
    - `function`: what to call.
    - `trees`: its arguments.

    **Returns**

    What the function returns, with a `jax.ShapeDtypeStruct` for each array.

    **Raises**

    - `FailedError`: the function raised an error.
    """
    dynamic, static = partition(trees, _is_dynamic)
    static_output: list[PyTree] = []

    def traced(dynamic: PyTree) -> PyTree:
        arguments = combine(dynamic, static)
        # Here, rather than outside, nothing has yet removed frames from the traceback, and the Modules that are in the
        # frames are the ones in `arguments`.
        try:
            output = function(*arguments)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever it is, it is a finding
            roots = list(zip(names, arguments, strict=True))
            raise FailedError(failure_of(phase, error, roots)) from None
        arrays, rest = partition(output, _is_traced)
        static_output.append(rest)
        return arrays

    return combine(jax.eval_shape(traced, dynamic), *static_output)


def _is_traced(leaf: Any) -> bool:
    return is_array(leaf) and is_array_like(leaf)  # NumPy has arrays of strings and objects


def _is_dynamic(leaf: Any) -> bool:
    return _is_traced(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)
