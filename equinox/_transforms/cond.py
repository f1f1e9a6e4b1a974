"""`filter_cond` and `filter_switch`: one of several functions, whose operands and output may hold anything."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, TypeVarTuple

import jax
from jax.typing import ArrayLike

from .._tree.partition import combine, partition
from .._tree.predicates import is_array
from .carry import check_branches
from .eager import compiled_if_eager
from .steering import check_condition, check_integer
from .wrapped import check_callable

_Ts = TypeVarTuple("_Ts")
_R = TypeVar("_R")

_lax: Final[Any] = jax.lax  # the types of what these functions return are unknown


def filter_cond(
    pred: ArrayLike,
    true_fun: Callable[[*_Ts], _R],
    false_fun: Callable[[*_Ts], _R],
    *operands: *_Ts,
) -> _R:
    """Call one of two functions, as a condition says. Wraps `jax.lax.cond`.

    The operands and the output are any PyTrees. Arrays are traced (see [`is_array`][equinox.is_array]), and all other
    leaves are static: Python numbers too.

    **Arguments**

    - `pred`: the condition, a boolean scalar.
    - `true_fun`, `false_fun`: the functions. Both are traced, and their outputs must be alike in structure, in the
      shapes and dtypes of arrays, and in every leaf that is no array.
    - `*operands`: what the function is called with.

    **Returns**

    What `true_fun(*operands)` or `false_fun(*operands)` returns.

    **Raises**

    - `TypeError`: `pred` is no scalar; or the outputs differ in more than the values of arrays, where the message names
      the leaf and both versions.

    **Example**
    ```python
    >>> def double(model):
    ...     return model | {"weight": 2 * model["weight"]}
    >>> model = {"weight": jnp.array(3.0), "name": "linear"}
    >>> eqx.filter_cond(jnp.array(True), double, lambda model: model, model)
    {'name': 'linear', 'weight': Array(6., dtype=float32, weak_type=True)}

    ```
    """
    for function in (true_fun, false_fun):
        check_callable("filter_cond", function)
    check_condition("argument `pred` of `filter_cond`", pred)
    chosen: _R = compiled_if_eager(_cond, (true_fun, false_fun), pred, operands)
    return chosen


def _cond(functions: tuple[Callable[..., Any], Callable[..., Any]], pred: ArrayLike, operands: Any) -> Any:
    def choose(branches: Sequence[Callable[[Any], Any]], arrays: Any) -> Any:
        return _lax.cond(pred, *branches, arrays)

    return _call_one("filter_cond", dict(zip(("true_fun", "false_fun"), functions, strict=True)), operands, choose)


def filter_switch(index: ArrayLike, branches: Sequence[Callable[[*_Ts], _R]], *operands: *_Ts) -> _R:
    """Call one of several functions, by its number. Wraps `jax.lax.switch`.

    The operands and the output are any PyTrees, as in [`filter_cond`][equinox.filter_cond].

    **Arguments**

    - `index`: the number of the function, an integer scalar. It is clamped to the numbers that there are.
    - `branches`: the functions. All are traced, and their outputs must be alike in structure, in the shapes and dtypes
      of arrays, and in every leaf that is no array.
    - `*operands`: what the function is called with.

    **Returns**

    What `branches[index](*operands)` returns.

    **Raises**

    - `TypeError`: `index` is no integer; or the outputs differ in more than the values of arrays, where the message
      names the leaf and both versions.
    - `ValueError`: there are no `branches`.

    **Example**
    ```python
    >>> eqx.filter_switch(1, [lambda x, name: (x, name), lambda x, name: (-x, name)], jnp.array(3.0), "x")
    (Array(-3., dtype=float32, weak_type=True), 'x')

    ```
    """
    if not branches:
        raise ValueError("`filter_switch` needs at least one function in `branches`.")
    for function in branches:
        check_callable("filter_switch", function)
    check_integer("argument `index` of `filter_switch`", index)
    chosen: _R = compiled_if_eager(_switch, tuple(branches), index, operands)
    return chosen


def _switch(functions: tuple[Callable[..., Any], ...], index: ArrayLike, operands: Any) -> Any:
    def choose(branches: Sequence[Callable[[Any], Any]], arrays: Any) -> Any:
        return _lax.switch(index, branches, arrays)

    named = {f"branches[{i}]": branch for i, branch in enumerate(functions)}
    return _call_one("filter_switch", named, operands, choose)


def _call_one(
    transformation: str,
    branches: dict[str, Callable[..., _R]],
    operands: Any,
    choose: Callable[[Sequence[Callable[[Any], Any]], Any], Any],
) -> _R:
    """Call the one of the named branches that `choose`, which sees arrays only, decides on."""
    arrays, static = partition(operands, is_array)
    outputs: dict[str, _R] = {}

    def of_arrays(name: str, branch: Callable[..., _R]) -> Callable[[Any], Any]:
        def call(arrays: Any) -> Any:
            output = branch(*combine(arrays, static))
            if outputs:
                first = next(iter(outputs))
                check_branches(transformation, (first, name), (outputs[first], output))
            outputs[name] = output
            return partition(output, is_array)[0]

        return call

    chosen = choose([of_arrays(name, branch) for name, branch in branches.items()], arrays)
    _, output_static = partition(next(iter(outputs.values())), is_array)
    output: _R = combine(chosen, output_static)
    return output
