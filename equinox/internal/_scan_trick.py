"""`scan_trick`: call a function several times in a program, but compile it once.

The calls become the steps of a loop. What happens between them differs from step to step, and is chosen by the number
of the step.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp

from .._transforms.cond import filter_switch
from .._transforms.scan import filter_scan
from ._nonbatchable import nonbatchable

_X = TypeVar("_X")


def scan_trick(fn: Callable[[_X], _X], intermediates: Sequence[Callable[[_X], _X]], init: _X) -> _X:
    """Call a function repeatedly, and other functions in between, such that the former is traced and compiled once.

    **Arguments**

    - `fn`: the function that is expensive to compile.
    - `intermediates`: what to do between one call and the next.
    - `init`: what to call it with first: a PyTree. All the functions must return something of the same structure, with
      the same shapes and dtypes.

    **Returns**

    `fn(i_n(... fn(i_1(fn(init)))))`, where the `i`s are the `intermediates`.

    **Example**
    ```python
    >>> scan_trick(lambda x: 2 * x, [lambda x: x + 1, lambda x: x - 3], jnp.array(1.0))
    Array(6., dtype=float32, weak_type=True)

    ```
    """

    def last(x: _X) -> _X:
        return x

    branches = [*intermediates, last]

    def step(carry: _X, index: jax.Array) -> tuple[_X, None]:
        return filter_switch(nonbatchable(index), branches, fn(carry)), None

    result, _ = filter_scan(step, init, jnp.arange(len(branches)))
    return result
