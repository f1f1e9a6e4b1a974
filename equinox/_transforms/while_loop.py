"""`filter_while_loop` and `filter_fori_loop`: loops whose carry may hold anything."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.typing import ArrayLike

from .._tree.partition import combine, partition
from .._tree.predicates import is_array
from .carry import next_carry
from .eager import compiled_if_eager
from .steering import as_unroll, check_boolean, check_integer
from .wrapped import check_callable

_C = TypeVar("_C")


def filter_while_loop(cond_fun: Callable[[_C], ArrayLike], body_fun: Callable[[_C], _C], init_val: _C) -> _C:
    """Take steps as long as a condition holds, carrying a state along. Wraps `jax.lax.while_loop`.

    The carry is any PyTree. Its arrays are traced (see [`is_array`][equinox.is_array]), and all other leaves are
    static: Python numbers too. Start from `jnp.asarray(0)`, not from `0`, if the number is to change.

    Like `jax.lax.while_loop`, it has a forward-mode derivative only; `filter_scan` has both.

    **Arguments**

    - `cond_fun`: whether to take another step, a boolean scalar, from the carry.
    - `body_fun`: makes one step: from one carry to the next, which must be like the one before it in structure, in the
      shapes and dtypes of arrays, and in every leaf that is no array.
    - `init_val`: the first carry.

    **Returns**

    The last carry, for which `cond_fun` is false.

    **Raises**

    - `TypeError`: `cond_fun` returns no boolean scalar; or the next carry differs in more than the values of arrays,
      where the message names the leaf and both versions.

    **Example**
    ```python
    >>> def halve(state):
    ...     return state | {"x": state["rule"](state["x"]), "steps": state["steps"] + 1}
    >>> state = {"x": jnp.array(10.0), "steps": jnp.array(0), "rule": lambda x: x / 2}
    >>> state = eqx.filter_while_loop(lambda state: state["x"] > 1, halve, state)
    >>> state["x"], state["steps"]
    (Array(0.625, dtype=float32, weak_type=True), Array(4, dtype=int32, weak_type=True))

    ```
    """
    for function in (cond_fun, body_fun):
        check_callable("filter_while_loop", function)
    last: _C = compiled_if_eager(_while_loop, (cond_fun, body_fun), init_val)
    return last


def _while_loop(functions: tuple[Callable[[Any], ArrayLike], Callable[[Any], Any]], init_val: Any) -> Any:
    cond_fun, body_fun = functions
    carry, static = partition(init_val, is_array)

    def body(carry: Any) -> Any:
        return next_carry("filter_while_loop", "body_fun", carry, static, body_fun(combine(carry, static)))

    def condition(carry: Any) -> ArrayLike:
        goes_on = cond_fun(combine(carry, static))
        check_boolean("`filter_while_loop`, what `cond_fun` returns", goes_on)
        return goes_on

    return combine(jax.lax.while_loop(condition, body, carry), static)


def filter_fori_loop(
    lower: ArrayLike,
    upper: ArrayLike,
    body_fun: Callable[[jax.Array, _C], _C],
    init_val: _C,
    *,
    unroll: int | bool | None = None,
) -> _C:
    """Take a step for each integer from one to another, carrying a state along. Wraps `jax.lax.fori_loop`.

    The carry is any PyTree, as in [`filter_while_loop`][equinox.filter_while_loop].

    **Arguments**

    - `lower`, `upper`: the first integer, and that after the last. If both are Python integers, the loop has a
      reverse-mode derivative.
    - `body_fun`: makes one step: from the integer and the carry to the next carry.
    - `init_val`: the first carry.
    - `unroll`: how many steps to make in one iteration of the compiled loop, as in `jax.lax.fori_loop`.

    **Returns**

    The last carry.

    **Raises**

    - `TypeError`: `lower` or `upper` is no integer; or the next carry differs in more than the values of arrays, where
      the message names the leaf and both versions.
    - `ValueError`: `unroll` is negative.

    **Example**
    ```python
    >>> def add(i, state):
    ...     return state | {"sum": state["sum"] + i}
    >>> eqx.filter_fori_loop(0, 5, add, {"name": "ten", "sum": jnp.array(0)})
    {'name': 'ten', 'sum': Array(10, dtype=int32, weak_type=True)}

    ```
    """
    check_callable("filter_fori_loop", body_fun)
    for name, bound in (("lower", lower), ("upper", upper)):
        check_integer(f"argument `{name}` of `filter_fori_loop`", bound)
    if unroll is not None:
        unroll = as_unroll("filter_fori_loop", unroll)
    last: _C = compiled_if_eager(_fori_loop, body_fun, lower, upper, init_val, unroll)
    return last


def _fori_loop(
    body_fun: Callable[[jax.Array, Any], Any], lower: Any, upper: Any, init_val: Any, unroll: int | bool | None
) -> Any:
    carry, static = partition(init_val, is_array)

    def body(i: jax.Array, carry: Any) -> Any:
        return next_carry("filter_fori_loop", "body_fun", carry, static, body_fun(i, combine(carry, static)))

    lax: Any = jax.lax  # the type of what this function returns is unknown
    return combine(lax.fori_loop(lower, upper, body, carry, unroll=unroll), static)
