"""Call a function without computing anything: JAX traces it for arrays of which only shape and dtype are known."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax

from .._jax_tree import tree_flatten
from .._transforms.conceal import conceal
from .._transforms.template import Template
from .._tree.predicates import is_array, is_array_like
from ._locate import failure_of
from ._notation import UsageError
from ._result import Failure, Phase

PyTree: TypeAlias = Any


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
    leaves, treedef = tree_flatten(trees)
    mask = [_is_traced(leaf) or isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves]
    template = Template(treedef, leaves, mask, None)

    def traced(*arrays: jax.Array) -> PyTree:
        arguments = template.fill(arrays)
        # Here, rather than outside, nothing has yet removed frames from the traceback, and the Modules that are in the
        # frames are the ones in `arguments`.
        try:
            output = function(*arguments)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever it is, it is a finding
            roots = list(zip(names, arguments, strict=True))
            raise FailedError(failure_of(phase, error, roots)) from None
        return conceal(output, _is_traced)

    return jax.eval_shape(traced, *(leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic))


def _is_traced(leaf: Any) -> bool:
    return is_array(leaf) and is_array_like(leaf)  # NumPy has arrays of strings and objects
