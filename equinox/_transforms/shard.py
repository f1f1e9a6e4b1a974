"""`filter_shard`: say on which devices the arrays of a tree are to be."""

from typing import Any, TypeVar, cast

import jax
from jax.core import Tracer
from jax.experimental.layout import Format
from jax.sharding import PartitionSpec, Sharding, SingleDeviceSharding

from .._errors import describe, locate
from .._jax_tree import tree_flatten, tree_leaves_with_path
from .._tree.partition import filter as filter_leaves
from .._tree.predicates import is_array, is_none
from .._tree.prefix import flatten_up_to

_T = TypeVar("_T")

_constrain = cast(Any, jax.lax.with_sharding_constraint)  # JAX does not type it


def filter_shard(x: _T, device_or_shardings: Any) -> _T:
    """Put the arrays of a PyTree onto devices, and leave all else as it is.

    It is the same inside and outside of compiled functions: there a constraint for the compiler
    (`jax.lax.with_sharding_constraint`), here a transfer (`jax.device_put`).

    **Arguments**

    - `x`: any PyTree.
    - `device_or_shardings`: a device; or a sharding; or a prefix of `x` with a sharding for each array. `None` leaves
        alone what is below it. In the context of a mesh, a `jax.sharding.PartitionSpec` will do for a sharding.

    **Returns**

    `x` with its arrays, NumPy's too, as JAX arrays on those devices. Derivatives pass through.

    **Raises**

    - `ValueError`: `device_or_shardings` is no prefix of `x`, or an array cannot be split that way.
    - `TypeError`: something in it is neither a sharding nor `None`.

    **Example**
    ```python
    >>> mesh = jax.make_mesh((1,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    >>> sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    >>> batch = eqx.filter_shard({"x": jnp.ones((4, 2)), "name": "train"}, sharding)
    >>> batch["x"].sharding == sharding, batch["name"]
    (True, 'train')

    ```
    """
    if isinstance(device_or_shardings, jax.Device):
        device_or_shardings = SingleDeviceSharding(device_or_shardings)
    for path, sharding in tree_leaves_with_path(device_or_shardings):
        if not isinstance(sharding, (Sharding, PartitionSpec, Format)):
            raise TypeError(
                f"{locate('device_or_shardings', path)}: found {describe(sharding)}; expected a device, or a tree of "
                "`jax.sharding.Sharding`s, with `None` where nothing is to be done."
            )
    arrays = filter_leaves(x, is_array)
    shardings, subtrees, _ = flatten_up_to(
        device_or_shardings, arrays, argument="device_or_shardings", tree_argument="x", is_leaf=is_none
    )
    placed = iter(
        [
            _place(array, sharding)
            for sharding, subtree in zip(shardings, subtrees, strict=True)
            for array in tree_flatten(subtree)[0]
        ]
    )
    leaves, treedef = tree_flatten(x)
    result: _T = treedef.unflatten([next(placed) if is_array(leaf) else leaf for leaf in leaves])
    return result


def _place(array: Any, sharding: Sharding | PartitionSpec | Format | None) -> Any:
    if sharding is None:
        return array
    # Only a transfer can take an array away from the devices that it is on, but it does not know the meshes of old that
    # are set by `with mesh:`. In a program, only a constraint is binding.
    has_old_mesh = isinstance(sharding, PartitionSpec) and jax.sharding.get_abstract_mesh().empty
    if isinstance(array, Tracer) or has_old_mesh:
        return _constrain(array, sharding)
    return jax.device_put(array, sharding)
