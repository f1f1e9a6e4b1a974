"""`filter_jvp`: forward-mode derivatives with respect to those leaves for which there is a tangent."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax

from .._jax_tree import tree_flatten, tree_structure
from .._tree.predicates import is_array, is_inexact_array_like, is_none
from .conceal import conceal, reveal
from .perturbation import is_reached
from .split import Places
from .structure import describe_difference
from .wrapped import check_callable

_T = TypeVar("_T")


def filter_jvp(fn: Callable[..., _T], primals: Sequence[Any], tangents: Sequence[Any], **kwargs: Any) -> tuple[_T, _T]:
    """Evaluate a function, and how it changes when its arguments change in a given direction. Wraps `jax.jvp`.

    Arguments and result may hold anything. A tangent of `None` means that a leaf does not change.

    **Arguments**

    - `fn`: the function.
    - `primals`: its positional arguments, a tuple or a list.
    - `tangents`: the direction. It has the structure of `primals`: at each leaf a tangent of the same shape and dtype,
      or `None`. Leaves that are no floating-point or complex numbers or arrays need `None`. So does `None` itself,
      which counts as a leaf here.
    - `**kwargs`: the keyword arguments of `fn`, which are not differentiated.

    **Returns**

    A pair: the output of `fn`, and its tangents, in the same structure. The tangent is `None` at each leaf that the
    change cannot reach: one that is no floating-point or complex array, is constant, or was computed from leaves whose
    tangent is `None`.

    **Raises**

    - `ValueError`: `tangents` does not have the structure of `primals`, or a tangent has another shape.
    - `TypeError`: `fn` is not callable; a tangent has another dtype, or belongs to a leaf that can have none.

    **Example**
    ```python
    >>> def scale(x, factor, name):
    ...     return x * factor, name
    >>> x, dx = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
    >>> eqx.filter_jvp(scale, (x, 3.0, "result"), (dx, None, None))
    ((Array([3., 6.], dtype=float32), 'result'), (Array([3., 0.], dtype=float32), None))

    ```
    """
    check_callable("filter_jvp", fn)
    leaves, treedef = tree_flatten(primals, is_none)
    tangent_leaves, tangents_treedef = tree_flatten(tangents, is_none)
    if treedef != tangents_treedef:
        raise ValueError(
            "`tangents` must have the structure of `primals`, with `None` at each leaf that does not change. "
            + describe_difference("tangents", tangents, primals, "a tangent or `None`")
        )
    mask = tuple(not _is_zero(tangent, leaf) for tangent, leaf in zip(tangent_leaves, leaves, strict=True))
    if not any(mask):
        output = fn(*primals, **kwargs)
        output_treedef = tree_structure(output)
        return output, output_treedef.unflatten([None] * output_treedef.num_leaves)
    places = Places(treedef, mask)
    changing, constant = places.separate(leaves)
    directions, _ = places.separate(tangent_leaves)

    def of_changing(*changing: Any) -> tuple[list[Any], Any]:
        leaves, treedef = tree_flatten(fn(*places.join(changing, constant), **kwargs))
        reached = Places(treedef, tuple(is_reached(changing[0], leaves)))
        selected, rest = reached.separate(leaves)
        return selected, conceal((rest, reached), is_array)

    selected, tangents_out, hidden = jax.jvp(of_changing, tuple(changing), tuple(directions), has_aux=True)
    rest, reached = reveal(hidden)
    return reached.join(selected, rest), reached.outline(tangents_out)


def _is_zero(tangent: Any, primal: Any) -> bool:
    # JAX's own tangents of integers cannot be anything but zero.
    return tangent is None or (
        getattr(tangent, "dtype", None) == jax.dtypes.float0 and not is_inexact_array_like(primal)
    )
