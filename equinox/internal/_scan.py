"""`scan`: a loop over the rows of arrays, of one of two kinds."""

import functools
import operator
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import jax
import jax.numpy as jnp

from .._errors import locate
from .._jax_tree import tree_leaves_with_path
from .._transforms.split import as_pair
from .._transforms.wrapped import check_callable
from ._loop_step import Loop, State, as_arrays, is_buffer
from ._while_loop import while_loop

#: JAX does not type it.
_map = cast(Any, jax.tree.map)
_C = TypeVar("_C")
_X = TypeVar("_X")
_Y = TypeVar("_Y")


def scan(
    f: Callable[[_C, _X], tuple[_C, _Y]],
    init: _C,
    xs: _X,
    length: int | None = None,
    *,
    buffers: Callable[[_C], Any] | None = None,
    kind: Literal["lax", "checkpointed"],
    checkpoints: int | Literal["all"] | None = None,
) -> tuple[_C, _Y]:
    """Take a step for each row of some arrays, carrying a state along.

    It returns what `jax.lax.scan` does, and with `kind="lax"` that is what it is. With `kind="checkpointed"`, its
    memory in reverse mode does not grow with the number of steps, as with
    [`while_loop`][equinox.internal.while_loop]; it then has no forward mode.

    **Arguments**

    - `f`: makes one step: from the carry and one row of `xs` to the next carry and one row of the output.
    - `init`: the first carry. Its leaves are arrays or numbers.
    - `xs`: arrays of which each step gets one row, that is, one index along the first axis.
    - `length`: the number of steps; needed if there are no arrays in `xs`.
    - `buffers`: as for `while_loop`, of the carry. With `kind="lax"` buffers are ordinary arrays, and this is ignored.
    - `kind`: as above.
    - `checkpoints`: for `"checkpointed"`, as for `while_loop`; or `"all"`, to keep every step and compute none again.

    **Returns**

    The last carry; and the outputs, in which the rows of each array are stacked along a new first axis.

    **Raises**

    - `ValueError`: the arrays in `xs` have different numbers of rows, or no number of steps is given; there is no such
      `kind`; or, as for `while_loop`, something is wrong with the next carry, `buffers` or `checkpoints`.
    - `TypeError`: a leaf is no array, or `f` does not return a pair.

    **Example**
    ```python
    >>> def step(balance, payment):
    ...     balance = 1.5 * balance + payment
    ...     return balance, balance
    >>> scan(step, 0.0, jnp.array([4.0, 2.0]), kind="checkpointed")
    (Array(8., dtype=float32), Array([4., 8.], dtype=float32))

    ```
    """
    check_callable("scan", f)
    if kind not in ("lax", "checkpointed"):
        raise ValueError(f"argument `kind`: found {kind!r}, expected 'lax' or 'checkpointed'.")
    init, xs = as_arrays("init", init), as_arrays("xs", xs)
    steps = _length(xs, length)
    if kind == "lax":
        last, outputs = jax.lax.scan(f, init, xs, steps)
        return last, outputs
    if checkpoints == "all":
        checkpoints = max(steps, 1)

    def step(carry: Any, row: Any) -> tuple[Any, Any]:
        return as_pair(f(carry, row), "`f`", "(carry, y)")

    def body(state: Any) -> Any:
        i, carry, ys = state
        carry, y = step(carry, _map(functools.partial(jax.lax.dynamic_index_in_dim, index=i, keepdims=False), xs))

        def write(rows: Any, row: Any) -> Any:
            return rows.at[i].set(row)

        return i + 1, carry, _map(write, ys, y, is_leaf=is_buffer)

    def all_buffers(state: Any) -> Any:
        _, carry, ys = state
        return (() if buffers is None else buffers(carry)), ys

    ys = _map(functools.partial(_rows, steps), _output_types(step, init, xs, buffers))
    start: Any = jnp.zeros((), jnp.int32), init, ys
    _, last, ys = while_loop(
        lambda state: state[0] < steps,
        body,
        start,
        max_steps=steps,
        buffers=all_buffers,
        kind="checkpointed",
        checkpoints=checkpoints,
    )
    return last, ys


def _rows(number: int, row: Any) -> jax.Array:
    return jnp.empty((number, *row.shape), row.dtype)


def _length(xs: Any, length: int | None) -> int:
    """The number of steps."""
    found: dict[int, str] = {} if length is None else {operator.index(length): "argument `length`"}
    for path, leaf in tree_leaves_with_path(xs):
        if leaf.ndim == 0:
            raise ValueError(f"{locate('xs', path)}: found a scalar, expected an array with a row for each step.")
        found.setdefault(leaf.shape[0], locate("xs", path))
    if not found:
        raise ValueError("arguments `xs` and `length`: found no array and no number of steps, expected one of them.")
    if len(found) > 1:
        lengths = "; ".join(f"{place}: {number}" for number, place in found.items())
        raise ValueError(f"The number of steps must be the same everywhere. Found {lengths}.")
    (number,) = found
    if number < 0:
        raise ValueError(f"argument `length`: found {number}, expected an integer of at least 0.")
    return number


def _output_types(step: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, buffers: Any) -> Any:
    """The types of the outputs of one step."""
    loop = Loop(lambda _: True, lambda carry: carry, init, buffers)

    def outputs(state: State, row: Any) -> Any:
        return as_arrays("y", step(loop.carry(state), row)[1])

    return jax.eval_shape(outputs, loop.start, _map(_row, xs))


def _row(rows: jax.Array) -> jax.Array:
    return jnp.empty(rows.shape[1:], rows.dtype)
