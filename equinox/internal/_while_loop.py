"""`while_loop`: a loop that stops when its condition no longer holds, of one of three kinds."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

from .._errors import describe
from .._transforms.wrapped import check_callable
from ._bounded_loop import bounded_loop
from ._checkpointed_loop import checkpointed_loop
from ._lax_loop import lax_loop
from ._loop_step import Loop, State
from ._schedule import default_checkpoints

_T = TypeVar("_T")
Kind: TypeAlias = Literal["lax", "bounded", "checkpointed"]
"""What `kind` may be."""


def while_loop(
    cond_fun: Callable[[_T], Any],
    body_fun: Callable[[_T], _T],
    init_val: _T,
    *,
    max_steps: int | None = None,
    buffers: Callable[[_T], Any] | None = None,
    kind: Kind,
    checkpoints: int | None = None,
    base: int = 16,
) -> _T:
    """Take steps as long as a condition holds, carrying a state along, in a way that can be differentiated.

    It returns what `jax.lax.while_loop` does. There are three kinds, which differ in their derivatives:

    | `kind` | forward mode | reverse mode | memory in reverse mode |
    |---|---|---|---|
    | `"lax"` | yes | no | |
    | `"bounded"` | yes | yes | grows with `max_steps` |
    | `"checkpointed"` | only of its gradient | yes | that of `checkpoints` copies of the carry |

    Gradients are with respect to the initial carry and to what `body_fun` closes over; none goes through `cond_fun`.

    Under `jax.vmap` the loop runs until all elements of the batch are done. Those that are done before remain as they
    are.

    **Arguments**

    - `cond_fun`: whether to take another step: a boolean scalar, from the carry. It has no side effects.
    - `body_fun`: makes one step, from one carry to the next, which has the same structure, shapes and dtypes.
    - `init_val`: the first carry. Its leaves are arrays or numbers.
    - `max_steps`: the greatest number of steps to take, 0 or more; needed for `"bounded"`.
    - `buffers`: says which arrays of the carry are filled bit by bit: it takes the carry and returns a part of it, or
        several. In `cond_fun` and `body_fun` each of these arrays is a buffer, which is read, as in `buffer[i]`, and
        written, as in `buffer.at[i].set(x, pred=True)`, but is no array otherwise. Where `pred` is false, nothing is
        written. In exchange for a promise, a buffer is never copied: each place is written at most once, before or
        during the loop, and only what has been written is read.
    - `kind`: as above.
    - `checkpoints`: for `"checkpointed"`, of how many steps to keep the carry for reverse mode, 1 or more. The more
        there are, the less is computed again. By default, as many as are needed to compute few of `max_steps` steps
        more than twice, about the square root of `2 * max_steps`. Either this or `max_steps` is needed.
    - `base`: for `"bounded"`, the length of the scans that the loop consists of, 1 or more. (1 is taken as 2.)

    **Returns**

    The last carry, as arrays. It is the first for which `cond_fun` is false, unless `max_steps` were taken before.

    **Raises**

    - `ValueError`: `max_steps`, `checkpoints` or `base` is no integer, too small, or missing; there is no such `kind`;
      `buffers` returns something else than a part of the carry; `body_fun` returns another structure, shape or dtype
      than it is given; or `cond_fun` returns an array that is no scalar.
    - `TypeError`: a leaf of the carry is no array; `cond_fun` returns no boolean; or a derivative is taken in forward
      mode with `kind="checkpointed"`.

    The algorithms, and the papers that they are from, are explained in the modules `_schedule`, `_checkpointed_loop`,
    `_bounded_loop` and `_buffer` beside this one.

    **Example**
    ```python
    >>> def power(x):
    ...     def multiply(carry):
    ...         step, product, history = carry
    ...         return step + 1, product * x, history.at[step].set(product)
    ...     carry = (0, 1.0, jnp.zeros(4))
    ...     buffers = lambda carry: carry[2]
    ...     return while_loop(
    ...         lambda carry: carry[1] < 10, multiply, carry, max_steps=4, buffers=buffers, kind="checkpointed"
    ...     )
    >>> power(3.0)[2]
    Array([1., 3., 9., 0.], dtype=float32)
    >>> jax.grad(lambda x: power(x)[1])(jnp.array(3.0))
    Array(27., dtype=float32)

    ```
    """
    for function in (cond_fun, body_fun):
        check_callable("while_loop", function)
    _check_number("max_steps", max_steps, 0)
    loop = Loop(cond_fun, body_fun, init_val, buffers)
    last: _T = loop.finish(_run(loop, max_steps, kind, checkpoints, base))
    return last


def _run(loop: Loop, max_steps: int | None, kind: str, checkpoints: int | None, base: int) -> State:
    if kind == "lax":
        return loop.start if max_steps == 0 else lax_loop(loop, max_steps)
    if kind == "bounded":
        if max_steps is None:
            raise ValueError(
                "argument `max_steps`: found `None`, expected an integer. A loop with `kind='bounded'` needs to know "
                "how many steps it has at most."
            )
        _check_number("base", base, 1)
        return loop.start if max_steps == 0 else bounded_loop(loop, max_steps, max(base, 2))
    if kind == "checkpointed":
        _check_number("checkpoints", checkpoints, 1)
        if checkpoints is None:
            if max_steps is None:
                raise ValueError(
                    "arguments `max_steps` and `checkpoints`: found `None` for both. With `kind='checkpointed'`, say "
                    "either how many steps there are at most, or how many checkpoints to keep."
                )
            checkpoints = default_checkpoints(max_steps)
        if max_steps is not None:
            checkpoints = min(checkpoints, max_steps)
        return loop.start if max_steps == 0 else checkpointed_loop(loop, max_steps, checkpoints)
    raise ValueError(f"argument `kind`: found {kind!r}, expected 'lax', 'bounded' or 'checkpointed'.")


def _check_number(name: str, number: object, least: int) -> None:
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < least):
        raise ValueError(f"argument `{name}`: found {describe(number)}, expected an integer of at least {least}.")
