"""Split a PyTree in two by a rule about its leaves, and join such halves again.

Both halves keep the structure of the whole; `None` marks the leaves that are in the other one.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar, cast

from jax.core import Tracer

from .._errors import describe, locate
from .._jax_tree import (
    KeyPath,
    PyTreeDef,
    tree_flatten,
    tree_leaves_with_path,
    tree_structure,
    treedef_is_leaf,
)
from .describe import describe_node, note_static_data
from .join import StructureMismatchError, join, join_leaves
from .one_level import flatten_one_level_with_path, is_tree_leaf
from .predicates import IsLeaf, is_none
from .prefix import flatten_up_to

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


def filter(pytree: _T, filter_spec: _PyTree, inverse: bool = False, replace: Any = None, is_leaf: IsLeaf = None) -> _T:
    """Keep the leaves of a PyTree that a rule selects, and put a placeholder where the others were.

    **Arguments**

    - `pytree`: any PyTree.
    - `filter_spec`: the rule: a tree prefix of `pytree` whose leaves are `True`, `False`, or functions from a leaf to a
        truth value. Each applies to all leaves below its place; `is_array` alone applies to all of them.
    - `inverse`: keep the leaves that are *not* selected instead.
    - `replace`: the placeholder.
    - `is_leaf`: which nodes of `pytree` to keep or replace as a whole.

    **Returns**

    A PyTree of the structure of `pytree`. Kept leaves are the same objects.

    **Raises**

    - `ValueError`: if `filter_spec` is not a prefix of `pytree`, or has a leaf that is neither a `bool` nor callable.

    **Example**
    ```python
    >>> eqx.filter({"rate": 0.1, "name": "sgd"}, eqx.is_inexact_array_like)
    {'name': None, 'rate': 0.1}

    ```
    """
    kept, rest, treedef = _split(pytree, filter_spec, replace, is_leaf)
    return cast(_T, treedef.unflatten(rest if inverse else kept))


def partition(pytree: _T, filter_spec: _PyTree, replace: Any = None, is_leaf: IsLeaf = None) -> tuple[_T, _T]:
    """Split a PyTree into the leaves that a rule selects and the rest.

    `combine` is the way back.

    **Arguments**

    - `pytree`, `filter_spec`, `replace`, `is_leaf`: as in `filter`.

    **Returns**

    `filter(pytree, filter_spec, ...)` and `filter(pytree, filter_spec, inverse=True, ...)`; a function in `filter_spec`
    is called once per leaf.

    **Raises**

    - `ValueError`: as `filter`.

    **Example**
    ```python
    >>> numbers, rest = eqx.partition({"rate": 0.1, "name": "sgd"}, eqx.is_inexact_array_like)
    >>> numbers, rest
    ({'name': None, 'rate': 0.1}, {'name': 'sgd', 'rate': None})
    >>> eqx.combine(numbers, rest)
    {'name': 'sgd', 'rate': 0.1}

    ```
    """
    kept, rest, treedef = _split(pytree, filter_spec, replace, is_leaf)
    return cast(_T, treedef.unflatten(kept)), cast(_T, treedef.unflatten(rest))


def combine(pytree: _T, /, *pytrees: _T, is_leaf: IsLeaf = None) -> _T:
    """Join PyTrees of one structure: at each place, take the first leaf that is not `None`.

    **Arguments**

    - `pytree`, `*pytrees`: the PyTrees, such as the two results of `partition`. A `None` in one of them may stand
        against a whole subtree in another, and the subtree is taken.
    - `is_leaf`: which nodes, besides `None`, to take as a whole.

    **Returns**

    The joined PyTree, with `None` where all of them have `None`.

    **Raises**

    - `ValueError`: if the structures differ in another way; the message names the key path.

    **Example**
    ```python
    >>> eqx.combine({"a": 1, "b": None}, {"a": None, "b": [2, 3]})
    {'a': 1, 'b': [2, 3]}

    ```
    """
    for index, other in enumerate(pytrees):
        pytree = _combine_two(pytree, other, is_leaf, f"pytrees[{index}]")
    return pytree


def _or_none(is_leaf: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda node: node is None or is_leaf(node)


def _split(
    pytree: _PyTree, filter_spec: _PyTree, replace: Any, is_leaf: IsLeaf
) -> tuple[list[Any], list[Any], PyTreeDef]:
    """Flatten a PyTree twice: with the leaves that the filter selects, and with the others."""
    leaves, answers, treedef = _select(pytree, filter_spec, is_leaf)
    kept = [replace] * len(leaves)
    rest = leaves[:]
    for index, answer in enumerate(answers):
        if answer is True or (answer is not False and _truth(answer)):
            kept[index] = leaves[index]
            rest[index] = replace
    return kept, rest, treedef


def _select(pytree: _PyTree, filter_spec: _PyTree, is_leaf: IsLeaf) -> tuple[list[Any], Iterable[Any], PyTreeDef]:
    """Flatten a PyTree, and ask the filter about each leaf."""
    leaves, treedef = tree_flatten(pytree, is_leaf)
    rules, filter_def = tree_flatten(filter_spec)
    for index, rule in enumerate(rules):
        if type(rule) is not bool and not callable(rule):
            raise ValueError(_not_a_rule(filter_spec, index))
    if rules and treedef_is_leaf(filter_def):  # not `()` or `None`, which are one node as well
        rule = rules[0]
        return leaves, [rule] * len(leaves) if type(rule) is bool else map(rule, leaves), treedef
    if filter_def != treedef:
        rules, leaves, treedef = _spread(filter_spec, pytree, is_leaf)
    pairs = zip(rules, leaves, strict=True)
    return leaves, (rule if type(rule) is bool else rule(leaf) for rule, leaf in pairs), treedef


def _spread(filter_spec: _PyTree, pytree: _PyTree, is_leaf: IsLeaf) -> tuple[list[Any], list[Any], PyTreeDef]:
    """Repeat each rule for every leaf below it, flatten the PyTree alike, and return the structure of both.

    `is_leaf` applies below the rules only: where a rule sits inside a node, that node is not a leaf.
    """
    rules, subtrees, filter_def = flatten_up_to(filter_spec, pytree, argument="filter_spec", tree_argument="pytree")
    all_rules: list[Any] = []
    all_leaves: list[Any] = []
    outlines: list[_PyTree] = []
    for rule, subtree in zip(rules, subtrees, strict=True):
        leaves, treedef = tree_flatten(subtree, is_leaf)
        all_rules += [rule] * len(leaves)
        all_leaves += leaves
        outlines.append(treedef.unflatten([True] * len(leaves)))
    return all_rules, all_leaves, tree_structure(filter_def.unflatten(outlines))


def _truth(answer: Any) -> bool:
    if not is_tree_leaf(answer):
        raise ValueError(
            f"argument `filter_spec`: a function in it returned {describe_node(answer)} for a leaf of `pytree`. It "
            "must return one truth value."
        )
    return bool(answer)


def _not_a_rule(filter_spec: _PyTree, index: int) -> str:
    path, rule = tree_leaves_with_path(filter_spec)[index]
    found = f"{locate('filter_spec', path)}: found {describe(rule)}"
    if isinstance(rule, Tracer):
        return (
            f"{found}, which is traced: its value is not known while the function is traced. Which leaves to keep must "
            "be decided by Python `bool`s; pass the filter as a static argument."
        )
    return f"{found}; expected `True`, `False`, or a function from a leaf to a truth value."


def _combine_two(first: _PyTree, second: _PyTree, is_leaf: IsLeaf, argument: str) -> _PyTree:
    try:
        return join(first, second) if is_leaf is None else join_leaves(first, second, _or_none(is_leaf))
    except (StructureMismatchError, AttributeError):  # the latter where an instance is incomplete
        stop = is_none if is_leaf is None else _or_none(is_leaf)
        return _combine_by_steps(first, second, stop, argument)


def _combine_by_steps(
    first: _PyTree, second: _PyTree, stop: Callable[[Any], bool], argument: str, path: KeyPath = ()
) -> _PyTree:
    """Combine step by step, where somewhere a `None` in the second PyTree stands against a subtree in the first."""
    if first is None:
        return second
    if second is None or stop(first) or is_tree_leaf(first):
        return first
    children, treedef = flatten_one_level_with_path(first)
    others, other_def = flatten_one_level_with_path(second)
    if other_def != treedef:
        raise ValueError(
            f"{locate(argument, path)}: found {describe_node(second)}, where an earlier argument has "
            f"{describe_node(first)}{note_static_data(second, first)}. The arguments must have the same structure, "
            "except that a `None` in one may stand against a subtree in another."
        )
    pairs = zip(children, others, strict=True)
    return treedef.unflatten([_combine_by_steps(a, b, stop, argument, path + key) for (key, a), (_, b) in pairs])
