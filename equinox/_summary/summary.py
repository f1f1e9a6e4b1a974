"""`tree_summary`: list the parts of a model, how big they are, and what goes in and out when it is called."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import jax

from .._jax_tree import keystr, tree_flatten, tree_structure
from .._module import Module
from .._places import TRANSPARENT, NodePath
from .._sentinel import sentinel
from .._transforms.eval_shape import filter_eval_shape, is_abstract
from .._tree.one_level import flatten_one_level_with_path, is_tree_leaf
from .._tree.partition import combine, partition
from .._tree.partition import filter as filter_tree
from .._tree.predicates import is_inexact_array
from .._tree.sizes import count_bytes, count_parameters
from .calls import Call, call_of_twin, record_calls
from .cost import Costs
from .data import SummaryRow, TreeSummary

_PyTree: TypeAlias = Any


def tree_summary(model: _PyTree, *args: Any, filter: _PyTree = is_inexact_array, **kwargs: Any) -> TreeSummary:
    """Summarise a model in a table: its parts, their sizes, and what goes in and out of each when it is called.

    Nothing is computed, so models may be of any size, and may have a `jax.ShapeDtypeStruct` in place of any array.

    **Arguments**

    - `model`: any PyTree. Each Module in it gets a row, and so does each array that lies beside Modules.
    - `*args`, `**kwargs`: arguments with which to call the model, arrays or `jax.ShapeDtypeStruct`s among them. Without
        any, it is not called.
    - `filter`: which leaves are trained, as for an [`Optimizer`][equinox.Optimizer]; for instance the result of
        [`trainable`][equinox.trainable].

    **Returns**

    A [`TreeSummary`][equinox.TreeSummary]. It prints as a table, shows as one in notebooks, and has all of it as data:
    `summary.parameters`, `summary.rows`, `summary.to_dict()`.

    The shapes are those that a Module sees: inside of a `vmap`, those without the axis that is mapped over. A Module
    that is called more often than once shows its first call. Operations are counted by JAX in the program before it is
    optimised, for one call; those of a loop count once, as the number of rounds is not known then.

    **Raises**

    - `ValueError`: `filter` does not fit the model.
    - Whatever the model raises when it is called.

    **Example**
    ```python
    >>> model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
    >>> head = eqx.trainable(model, where=lambda m: m.layers[-1])
    >>> print(eqx.tree_summary(model, jax.ShapeDtypeStruct((2,), jnp.float32), filter=head))
    part             class   in      out     parameters  trainable  memory  dtype    FLOPs
    --------------------------------------------------------------------------------------
    model            MLP     f32[2]  f32[1]          33  9           132 B  float32     65
    model.layers[0]  Linear  f32[2]  f32[8]          24  no           96 B  float32     40
    model.layers[1]  Linear  f32[8]  f32[1]           9  yes          36 B  float32     17
    --------------------------------------------------------------------------------------
    33 parameters, 9 trainable, 132 B, 65 FLOPs

    ```
    """
    leaves, _ = tree_flatten(model)
    is_trained = _trained(model, filter)
    calls = record_calls(model, args, kwargs) if args or kwargs else {}
    costs = Costs()
    rows: list[SummaryRow] = []
    for path, part, start in _parts(model):
        stop = start + tree_structure(part).num_leaves
        arrays = [leaf for leaf in leaves[start:stop] if is_abstract(leaf)]
        trained = [leaf for leaf, mask in zip(leaves[start:stop], is_trained[start:stop], strict=True) if mask]
        seen = _calls_of(path, calls)
        rows.append(
            SummaryRow(
                path="".join(path),
                type="Array" if is_abstract(part) else type(part).__name__,
                parameters=count_parameters(arrays),
                trainable=count_parameters(trained),
                bytes=count_bytes(arrays),
                dtypes=tuple(dict.fromkeys(str(array.dtype) for array in arrays)),
                calls=len(seen),
                inputs=seen[0].inputs if seen else None,
                output=seen[0].output if seen else None,
                flops=costs.of(seen[0]) if seen else None,
            )
        )
    return TreeSummary(tuple(rows))


def _parts(model: _PyTree) -> Iterator[tuple[NodePath, _PyTree, int]]:
    """The model, its Modules and the arrays beside them: key path, node, and the number of leaves that come before."""
    parts = list(_parts_below(model, (), 0))
    if not parts or parts[0][0]:
        yield (), model, 0
    yield from parts


def _parts_below(node: _PyTree, path: NodePath, start: int) -> Iterator[tuple[NodePath, _PyTree, int]]:
    if is_tree_leaf(node):
        if is_abstract(node):
            yield path, node, start
        return
    is_transparent = isinstance(node, TRANSPARENT)
    below: list[tuple[NodePath, _PyTree, int]] = []
    position = start
    for key, child in flatten_one_level_with_path(node)[0]:
        below += _parts_below(child, path if is_transparent else (*path, keystr(key)), position)
        position += tree_structure(child).num_leaves
    if isinstance(node, Module) and not is_transparent:
        yield path, node, start
        # Layers are shown as a whole.
        if not any(isinstance(part, Module) for _, part, _ in below):
            return
    yield from below


def _calls_of(path: NodePath, calls: dict[NodePath, list[Call]]) -> list[Call]:
    if path in calls:
        return calls[path]
    # Of Modules that nothing tells apart, it is not known which one was called.
    alike = [found for shared, found in calls.items() if _matches(path, shared)]
    return alike[0] if alike else call_of_twin(path, calls)


def _matches(path: NodePath, shared: NodePath) -> bool:
    return len(path) == len(shared) and all(
        entry == other or other in ("[*]", ".*") for entry, other in zip(path, shared, strict=True)
    )


def _trained(model: _PyTree, filter: _PyTree) -> list[bool]:
    """Of each leaf, whether a filter selects it for training."""
    structs, rest = partition(model, _is_struct)
    chosen: list[Any] = []

    # A filter is a function of arrays. In here, what stands for one is one.
    def select(structs: _PyTree) -> None:
        chosen.extend(tree_flatten(filter_tree(combine(structs, rest), filter, replace=sentinel))[0])

    filter_eval_shape(select, structs)
    return [leaf is not sentinel and is_abstract(leaf) for leaf in chosen]


def _is_struct(leaf: object) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)
