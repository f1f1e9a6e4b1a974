"""Are PyTrees equal: in structure, and leaf by leaf?

What can be decided from structure, shapes, dtypes and Python values is decided first; the values of JAX arrays, which
may be traced or still being computed, are compared only when nothing else differs.
"""

import functools
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .._errors import describe, locate
from .._jax_tree import tree_flatten, tree_leaves_with_path
from .predicates import is_array, is_differentiable_array

_PyTree: TypeAlias = Any


def tree_equal(
    pytree: _PyTree, /, *pytrees: _PyTree, typematch: bool = False, rtol: ArrayLike = 0.0, atol: ArrayLike = 0.0
) -> bool | jax.Array:
    """Say whether PyTrees are equal: the same structure, and equal leaves.

    Arrays are equal if their kind (a JAX array never equals a NumPy array), shape, dtype and values are; `nan` equals
    nothing. Other leaves are compared by `==`.

    **Arguments**

    - `pytree`, `*pytrees`: the PyTrees; all are compared with the first.
    - `typematch`: also ask for leaves of the same type, so that `1`, `1.0` and `True` differ, and a NumPy scalar from a
        NumPy array.
    - `rtol`, `atol`: tolerances for arrays of floating-point or complex dtype: values match if
        `abs(first - other) <= atol + rtol * abs(other)`.

    **Returns**

    A `bool` if no value of a JAX array needs to be looked at: `False` wherever something else differs, also when
    tracers are present, and `True` if there are no JAX arrays. Otherwise a boolean JAX array of shape `()`, which is a
    tracer inside of a JAX transformation.

    **Raises**

    - `TypeError`: if `==` of two leaves gives no truth value; the message names the key path.

    **Example**
    ```python
    >>> eqx.tree_equal([1, "a"], [1.0, "a"]), eqx.tree_equal([1, "a"], [1.0, "a"], typematch=True)
    (True, False)
    >>> eqx.tree_equal(jnp.ones(2), jnp.array([1.0, 1.001]), atol=0.01)
    Array(True, dtype=bool)

    ```
    """
    leaves, treedef = tree_flatten(pytree)
    exact = all(isinstance(tolerance, (int, float)) and tolerance == 0 for tolerance in (rtol, atol))
    traced = any(isinstance(tolerance, Tracer) for tolerance in (rtol, atol))
    undecided: list[tuple[Any, Any]] = []
    for other in pytrees:
        other_leaves, other_def = tree_flatten(other)
        if treedef != other_def:
            return False
        for index, (a, b) in enumerate(zip(leaves, other_leaves, strict=True)):
            if not _alike(a, b, typematch):
                return False
            if isinstance(a, jax.Array) or (traced and is_array(a)):
                undecided.append((a, b))
                continue
            try:
                equal = _close(np, a, b, exact, rtol, atol) if is_array(a) else bool(a == b)
            except (TypeError, ValueError) as error:
                raise TypeError(_no_truth_value(pytree, index, b)) from error
            if not equal:
                return False
    if not undecided:
        return True
    values_equal: jax.Array = functools.reduce(
        jnp.logical_and, [_close(jnp, a, b, exact, rtol, atol) for a, b in undecided]
    )
    return values_equal


def _alike(a: Any, b: Any, typematch: bool) -> bool:
    """Compare everything but values."""
    both_jax = isinstance(a, jax.Array) and isinstance(b, jax.Array)
    # The class of a JAX array says whether and how it is traced, which is not a property of its value.
    if typematch and not both_jax and type(a) is not type(b):
        return False
    if both_jax or (_is_numpy(a) and _is_numpy(b)):
        return bool(a.shape == b.shape and a.dtype == b.dtype)
    return not is_array(a) and not is_array(b)


def _is_numpy(leaf: Any) -> bool:
    return is_array(leaf) and not isinstance(leaf, jax.Array)


def _close(numpy: Any, a: Any, b: Any, exact: bool, rtol: ArrayLike, atol: ArrayLike) -> Any:
    """Compare the values of two arrays of one shape and dtype, by NumPy or by `jax.numpy`."""
    if exact or not is_differentiable_array(a):
        return numpy.array_equal(a, b)
    with np.errstate(over="ignore"):  # a difference may overflow, and is then larger than any tolerance
        return numpy.allclose(a, b, rtol, atol)


def _no_truth_value(pytree: _PyTree, index: int, other: Any) -> str:
    path, leaf = tree_leaves_with_path(pytree)[index]
    return (
        f"{locate('pytree', path)}: comparing {describe(leaf)} with {describe(other)} by `==` did not give a truth "
        "value. The `==` of a leaf must return something that `bool` accepts: wrap the leaf in a class with such an "
        "`__eq__`, or make its class a PyTree node."
    )
