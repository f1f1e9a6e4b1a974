"""Switch the layers of a model between training and inference: `tree_inference`."""

import dataclasses
import inspect
from typing import Any, Final, TypeAlias, TypeVar, cast

from jax.tree_util import GetAttrKey

from .one_level import flatten_one_level_with_path, is_tree_leaf

_T = TypeVar("_T")
_PyTree: TypeAlias = Any

#: The flag by its two names. A node that has both means the first.
_NAMES: Final = ("inference", "deterministic")


def tree_inference(pytree: _T, value: bool = True) -> _T:
    """Set the flag `inference` of every node of a PyTree that has it, such as that of every `Dropout` in a model.

    **Arguments**

    - `pytree`: any PyTree.
    - `value`: the flag: `True` for inference, `False` for training.

    **Returns**

    A PyTree in which `value` is in place of whatever the field `inference` of a node held, also if it is static. Nodes
    inside of such nodes are treated alike. A node without this field, but with one called `deterministic`, has that one
    set. Everything else stays as it is.

    **Example**
    ```python
    >>> model = eqx.nn.Sequential([eqx.nn.Dropout(0.5), eqx.nn.Lambda(jnp.tanh)])
    >>> eqx.tree_inference(model).layers[0].inference
    True

    ```
    """
    return cast(_T, _switch(pytree, value))


def _switch(node: _PyTree, value: bool) -> _PyTree:
    if is_tree_leaf(node):
        return node
    children, treedef = flatten_one_level_with_path(node)
    keys = [path[0] for path, _ in children]
    flag = next((name for name in _NAMES if GetAttrKey(name) in keys or _has_field(node, name)), None)
    is_flag = [flag is not None and key == GetAttrKey(flag) for key in keys]
    switched = treedef.unflatten(
        value if is_it else _switch(child, value) for is_it, (_, child) in zip(is_flag, children, strict=True)
    )
    if flag is not None and not any(is_flag):
        object.__setattr__(switched, flag, value)  # A static field. Nobody else has this object yet.
    return switched


def _has_field(node: _PyTree, name: str) -> bool:
    kind = cast(Any, type(node))
    is_field = dataclasses.is_dataclass(kind) and any(field.name == name for field in dataclasses.fields(kind))
    return is_field and not isinstance(inspect.getattr_static(kind, name, None), property)
