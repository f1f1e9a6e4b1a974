"""`filter_scan`: a loop over arrays, whose carry and whose steps may hold anything."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

import jax

from .._errors import describe, locate
from .._jax_tree import tree_leaves_with_path
from .._tree.partition import combine, partition
from .._tree.predicates import is_array
from .carry import next_carry
from .eager import compiled_if_eager
from .steering import as_integer, as_unroll
from .wrapped import check_callable

_C = TypeVar("_C")
_X = TypeVar("_X")
_Y = TypeVar("_Y")


@overload
def filter_scan(
    f: Callable[[_C, _X], tuple[_C, _Y]],
    init: _C,
    xs: _X,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[_C, _Y]: ...
@overload
def filter_scan(
    f: Callable[[_C, None], tuple[_C, _Y]],
    init: _C,
    xs: None = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[_C, _Y]: ...
def filter_scan(
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Take a step for each row of some arrays, carrying a state along. Wraps `jax.lax.scan`.

    The carry, the inputs and the outputs are any PyTrees: whole models, optimizer states, functions, flags. Of these,
    arrays are traced (see [`is_array`][equinox.is_array]), and all other leaves are static: Python numbers too. Start
    from `jnp.asarray(0)`, not from `0`, if the number is to change.

    **Arguments**

    - `f`: makes one step: from the carry and one row of `xs` to the next carry and one row of the output. The next
      carry must be like the one before it in structure, in the shapes and dtypes of arrays, and in every leaf that is
      no array.
    - `init`: the first carry.
    - `xs`: arrays of which each step gets one row, that is, one index along the first axis. Leaves that are no arrays
      are given to each step as they are.
    - `length`: the number of steps; needed if there are no arrays in `xs`.
    - `reverse`: whether to go from the last row to the first.
    - `unroll`: how many steps to make in one iteration of the compiled loop, as in `jax.lax.scan`.

    **Returns**

    The last carry; and the outputs, in which the rows of each array are stacked along a new first axis. Leaves of the
    outputs that are no arrays are the objects that were made while tracing.

    **Raises**

    - `TypeError`: `f` does not return a pair, or the next carry differs in more than the values of arrays; the message
      names the leaf and both versions.
    - `ValueError`: the arrays in `xs` have different numbers of rows, or one has no rows because it is a scalar (the
      message names the leaf); no number of steps is given, or another than that of the rows; or `unroll` is negative.

    **Example**
    ```python
    >>> def step(model, x):
    ...     y = model["activation"](model["weight"] * x)
    ...     return model | {"weight": model["weight"] + 1}, {"y": y, "note": "from relu"}
    >>> model = {"weight": jnp.array(0.0), "activation": jax.nn.relu}
    >>> model, outputs = eqx.filter_scan(step, model, jnp.array([1.0, -2.0, 3.0]))
    >>> model["weight"], outputs
    (Array(3., dtype=float32, weak_type=True), {'note': 'from relu', 'y': Array([0., 0., 6.], dtype=float32)})

    ```
    """
    check_callable("filter_scan", f)
    length = None if length is None else as_integer("argument `length` of `filter_scan`", length)
    unroll = as_unroll("filter_scan", unroll)
    return compiled_if_eager(_scan, f, init, xs, length, reverse, unroll)


def _scan(
    f: Callable[[Any, Any], Any], init: Any, xs: Any, length: int | None, reverse: bool, unroll: int | bool
) -> tuple[Any, Any]:
    carry, static = partition(init, is_array)
    rows, rows_static = partition(xs, is_array)
    length = _number_of_steps(xs, rows, length)
    outputs_static: list[Any] = []

    def step(carry: Any, row: Any) -> tuple[Any, Any]:
        output: Any = f(combine(carry, static), combine(row, rows_static))
        if type(output) not in (tuple, list) or len(output) != 2:
            raise TypeError(
                f"`filter_scan`: `f` must return a pair, the next carry and an output (which may be `None`). It "
                f"returned {describe(output)}."
            )
        y, y_static = partition(output[1], is_array)
        outputs_static.append(y_static)
        return next_carry("filter_scan", "f", carry, static, output[0]), y

    carry, ys = jax.lax.scan(step, carry, rows, length, reverse, unroll)
    return combine(carry, static), combine(ys, outputs_static[-1])


def _number_of_steps(xs: Any, rows: Any, length: int | None) -> int:
    """The number of rows that all arrays in `xs` have."""
    arrays = tree_leaves_with_path(rows)
    for path, array in arrays:
        if array.ndim == 0:
            raise ValueError(
                f"{locate('xs', path)} of `filter_scan`: found {describe(array)}, which has no rows. Each step gets "
                "one row of every array in `xs`; what is the same for all steps, `f` can capture."
            )
    if not arrays and length is None:
        advice = " Numbers are no arrays: make them one with `jnp.asarray`." if tree_leaves_with_path(xs) else ""
        raise ValueError(f"`filter_scan` needs a `length`, because there are no arrays in `xs`.{advice}")
    counts = {array.shape[0]: f"{locate('xs', path)} ({describe(array)})" for path, array in reversed(arrays)}
    expected = next((array.shape[0] for _, array in arrays), length) if length is None else length
    if expected is None or expected < 0:
        raise ValueError(f"argument `length` of `filter_scan`: found {length}, expected at least 0.")
    for count, place in counts.items():
        if count != expected:
            other = f"`length` is {length}" if length is not None else f"{counts[expected]} has {expected}"
            raise ValueError(
                f"`filter_scan`: the arrays in `xs` must have as many rows as there are steps, along their first axis. "
                f"But {place} has {count}, while {other}."
            )
    return expected
