"""A PyTree as a flat dictionary of arrays by name, the way PyTorch calls a `state_dict`, and back."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar, overload

import jax
import numpy as np

from .leaves import from_stored, is_jax_leaf
from .named_leaves import Names, load_named, name_leaves
from .report import LoadReport

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


def state_dict(pytree: _PyTree, *, names: Names = None) -> dict[str, Any]:
    """Return the arrays and numbers of a PyTree by name.

    **Arguments**

    - `pytree`: the PyTree. Functions, strings and other leaves that are no arrays or numbers are left out.
    - `names`: what leaves are to be called, a function of their dotted names. By default they are called that.

    **Returns**

    A dictionary from names such as `layers.0.weight` to the leaves themselves, in the order of the tree.

    **Raises**

    - `ValueError`: if two leaves have the same name, as the keys `"a.b"` and `"a"` of dictionaries may have it.

    **Example**
    ```python
    >>> list(eqx.state_dict(eqx.nn.MLP(2, 1, 8, depth=1, key=jax.random.key(0))))
    ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']

    ```
    """
    return {name: leaf for name, (_, leaf) in name_leaves(pytree, names, argument="pytree").items()}


@overload
def load_state_dict(
    like: _T,
    state: Mapping[str, Any],
    *,
    strict: Literal[True] = True,
    names: Names = None,
    shardings: _PyTree = None,
) -> _T: ...
@overload
def load_state_dict(
    like: _T,
    state: Mapping[str, Any],
    *,
    strict: Literal[False],
    names: Names = None,
    shardings: _PyTree = None,
) -> tuple[_T, LoadReport]: ...
def load_state_dict(
    like: _T, state: Mapping[str, Any], *, strict: bool = True, names: Names = None, shardings: _PyTree = None
) -> _T | tuple[_T, LoadReport]:
    """Put arrays into the leaves of a PyTree by name, out of place.

    **Arguments**

    - `like`: the PyTree whose arrays and numbers are replaced. `jax.ShapeDtypeStruct`s become JAX arrays.
    - `state`: the arrays by name: what `state_dict` returns, or the `state_dict()` of a PyTorch module.
    - `strict`: if `False`, leaves whose names are not in `state` keep their values, and what else is in it is ignored.
    - `names`: what leaves are called in `state`, a function of their dotted names, such as
        `lambda name: "encoder." + name`. By default they are called that.
    - `shardings`: where to put JAX arrays: a sharding, or a prefix of `like` with shardings and `None`s as its leaves.

    **Returns**

    A PyTree like `like`. With `strict=False`, a pair of it and a `LoadReport`.

    **Raises**

    - `RuntimeError`: if the names do not match.
    - `TreePathError`: if an array is not like the leaf: another kind, shape or dtype; it names the leaf.
    - `ValueError`: if two leaves have the same name, or `shardings` is not a prefix of `like`.

    **Example**
    ```python
    >>> linear = eqx.nn.Linear(2, 1, key=jax.random.key(0))
    >>> state = {"fc.weight": np.ones((1, 2), np.float32), "fc.bias": np.zeros(1, np.float32)}
    >>> eqx.load_state_dict(linear, state, names=lambda name: f"fc.{name}").weight
    Array([[1., 1.]], dtype=float32)

    ```
    """

    def read(name: str, target: Any) -> Any:
        value = state[name]
        if isinstance(value, jax.Array) and is_jax_leaf(target):
            return value
        # A copy, because JAX may use the memory of a NumPy array as its own, and this one is somebody else's.
        return from_stored(np.array(value), None, target)

    loaded, report = load_named(like, state, read, strict=strict, names=names, shardings=shardings)
    return loaded if strict else (loaded, report)
