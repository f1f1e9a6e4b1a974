from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox import combine, is_array, is_array_like, is_inexact_array, is_inexact_array_like, partition
from equinox._jax_tree import tree_flatten, tree_structure
from equinox._tree.predicates import is_none
from tests.strategies import Pair, Point, Record, pytrees, same_tree

FILTERS: list[Any] = [is_array, is_array_like, is_inexact_array, is_inexact_array_like, True, False, callable]


def is_tuple(node: object) -> bool:
    return isinstance(node, tuple)


# Which leaves are kept


@given(tree=pytrees(), spec=st.sampled_from(FILTERS))
def test_filter_keeps_the_selected_leaves_themselves_and_replaces_the_others(tree: Any, spec: Any) -> None:
    placeholder = object()
    kept = eqx.filter(tree, spec, replace=placeholder)
    leaves, treedef = tree_flatten(tree)
    kept_leaves, kept_def = tree_flatten(kept)
    assert kept_def == treedef
    for leaf, kept_leaf in zip(leaves, kept_leaves, strict=True):
        selected = spec if isinstance(spec, bool) else spec(leaf)
        assert kept_leaf is (leaf if selected else placeholder)


@given(tree=pytrees(), spec=st.sampled_from(FILTERS))
def test_partition_is_filter_and_its_inverse(tree: Any, spec: Any) -> None:
    kept, rest = partition(tree, spec, replace=0)
    assert same_tree(kept, eqx.filter(tree, spec, replace=0))
    assert same_tree(rest, eqx.filter(tree, spec, inverse=True, replace=0))


@given(tree=pytrees(), data=st.data())
def test_a_tree_of_booleans_selects_leaf_by_leaf(tree: Any, data: st.DataObject) -> None:
    leaves, treedef = tree_flatten(tree)
    mask = data.draw(st.lists(st.booleans(), min_size=len(leaves), max_size=len(leaves)))
    kept, rest = partition(tree, treedef.unflatten(mask), replace="out")
    expected = [(leaf, "out") if chosen else ("out", leaf) for leaf, chosen in zip(leaves, mask, strict=True)]
    assert same_tree(kept, treedef.unflatten(leaf for leaf, _ in expected))
    assert same_tree(rest, treedef.unflatten(leaf for _, leaf in expected))


def test_each_leaf_of_the_spec_applies_to_everything_below_it() -> None:
    tree = {"a": [1, (2, "x")], "b": Point(3, "y"), "c": None}
    spec = {"a": True, "b": lambda x: isinstance(x, str), "c": None}
    kept, rest = partition(tree, spec)
    assert kept == {"a": [1, (2, "x")], "b": Point(None, "y"), "c": None}
    assert rest == {"a": [None, (None, None)], "b": Point(3, None), "c": None}


def test_a_spec_may_be_a_prefix_above_a_none() -> None:
    assert eqx.filter({"a": None, "b": 1}, {"a": False, "b": True}) == {"a": None, "b": 1}


def test_the_result_has_the_same_node_types() -> None:
    tree = Pair(Record(1.0, "name"), Point(jnp.ones(2), "x"), "label")
    kept = eqx.filter(tree, Pair(True, is_array, "label"))
    assert tree_structure(kept, is_leaf=is_none) == tree_structure(tree)
    assert isinstance(kept.second, Point)
    assert kept.second.x is tree.second.x
    assert kept.second.y is None


@pytest.mark.parametrize("inverse", [1, "yes", np.True_, 0, "", np.False_])
def test_inverse_is_taken_by_its_truth_value(inverse: Any) -> None:
    expected = [None, "a"] if inverse else [1, None]
    assert eqx.filter([1, "a"], lambda x: x == 1, inverse=inverse) == expected


@pytest.mark.parametrize("answer", [1, "yes", np.True_, jnp.array(True), np.ones(1)])
def test_the_result_of_a_function_is_taken_by_its_truth_value(answer: Any) -> None:
    assert partition([1, 2], lambda x: answer if x == 1 else 0) == ([1, None], [None, 2])


def test_a_function_is_called_once_per_leaf() -> None:
    calls: list[object] = []

    def spec(leaf: object) -> bool:
        calls.append(leaf)
        return leaf == 2

    partition((1, [2, None], 3), spec)
    assert calls == [1, 2, 3]
    partition((1, [2, None], 3), (True, spec, spec))
    assert calls == [1, 2, 3, 2, 3]


# Nodes that are kept or replaced as a whole


def test_a_node_that_is_leaf_accepts_gets_one_answer() -> None:
    tree: Any = {"a": (1, 2), "b": "x"}
    kept, rest = partition(tree, lambda x: isinstance(x, tuple), is_leaf=is_tuple)
    assert kept == {"a": (1, 2), "b": None}
    assert kept["a"] is tree["a"]
    assert rest == {"a": None, "b": "x"}
    assert eqx.filter(tree, False, replace=0, is_leaf=is_tuple) == {"a": 0, "b": 0}


def test_is_leaf_accepts_nones() -> None:
    tree: Any = {"a": (1, 2), "b": None}
    assert partition(tree, is_none, replace=7, is_leaf=is_none) == ({"a": (7, 7), "b": None}, {"a": (1, 2), "b": 7})
    assert eqx.filter(tree, is_none, is_leaf=is_none) == {"a": (None, None), "b": None}


def test_a_spec_that_reaches_into_a_node_goes_before_is_leaf() -> None:
    tree: Any = [(1, 2), (3, (4, 5))]
    assert eqx.filter(tree, [True, (True, callable)], is_leaf=is_tuple) == [(1, 2), (3, None)]


# Errors


@pytest.mark.parametrize("spec", [1, np.True_, "yes", 1.0, np.ones(2), jnp.array(True)])
@pytest.mark.parametrize("function", [eqx.filter, partition])
def test_a_leaf_of_the_spec_that_is_no_rule_is_refused(function: Callable[..., Any], spec: Any) -> None:
    with pytest.raises(ValueError, match=r"`filter_spec`.*`\['b'\]`"):
        function({"a": 1, "b": [2, 3]}, {"a": True, "b": spec})


def test_a_traced_leaf_of_the_spec_is_refused_as_such() -> None:
    with pytest.raises(ValueError, match=r"`filter_spec`.*`\['a'\]`.*traced"):
        jax.jit(lambda x: eqx.filter({"a": 1}, {"a": x}))(True)


@pytest.mark.parametrize(
    ("tree", "spec", "place"),
    [
        ({"a": [1, 2]}, {"a": [True]}, "['a']"),
        ({"a": [1, 2]}, {"a": (True, False)}, "['a']"),
        ({"a": 1, "b": 2}, {"a": True}, "`filter_spec`"),
        ({"a": 1}, {"a": None}, "['a']"),
        ({"a": None}, {"a": [True]}, "['a']"),
        (Pair(1, 2, "x"), Pair(True, True, "y"), "static"),
    ],
)
@pytest.mark.parametrize("is_leaf", [None, is_tuple])
def test_a_spec_that_is_no_prefix_is_refused_with_the_place(tree: Any, spec: Any, place: str, is_leaf: Any) -> None:
    with pytest.raises(ValueError, match="`filter_spec`") as info:
        partition(tree, spec, is_leaf=is_leaf)
    assert place in str(info.value)
    assert "`pytree`" in str(info.value)


@pytest.mark.parametrize("answer", [None, (), (True,), [True], {"a": True}])
def test_a_function_that_returns_a_container_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match="`filter_spec`"):
        eqx.filter([1, 2], lambda _: answer)


def test_a_callable_module_is_a_tree_and_not_a_function() -> None:
    class Rule(eqx.Module):
        threshold: int

        def __call__(self, x: Any) -> bool:
            return bool(x > self.threshold)

    rule = Rule(1)
    with pytest.raises(ValueError, match="`filter_spec`"):
        eqx.filter([1, 2], rule)

    def apply(x: Any) -> bool:
        return rule(x)

    assert eqx.filter([1, 2], apply) == [None, 2]


# Combining


@given(tree=pytrees(), spec=st.sampled_from(FILTERS))
def test_combining_the_two_parts_gives_the_tree(tree: Any, spec: Any) -> None:
    kept, rest = partition(tree, spec)
    assert same_tree(combine(kept, rest), tree)
    assert same_tree(combine(rest, kept), tree)


@given(tree=pytrees(), data=st.data())
def test_combining_any_number_of_parts_in_any_order_gives_the_tree(tree: Any, data: st.DataObject) -> None:
    leaves, treedef = tree_flatten(tree)
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(leaves), max_size=len(leaves)))
    parts = [
        treedef.unflatten([leaf if owner == part else None for leaf, owner in zip(leaves, owners, strict=True)])
        for part in range(4)
    ]
    assert same_tree(combine(*data.draw(st.permutations(parts))), tree)


def test_the_first_leaf_that_is_not_none_is_taken() -> None:
    assert combine([1, None, None], [2, 3, None], [4, 5, None]) == [1, 3, None]


def test_false_zero_and_empty_leaves_are_not_none() -> None:
    assert combine([0, False, ""], [1, 2, 3]) == [0, False, ""]


def test_one_argument_is_unchanged() -> None:
    tree = {"a": [None, 3], "b": ()}
    assert combine(tree) == tree


@pytest.mark.parametrize(
    ("trees", "expected"),
    [
        (({"a": None}, {"a": {"b": 1, "c": None}}), {"a": {"b": 1, "c": None}}),
        (({"a": {"b": 1, "c": None}}, {"a": None}), {"a": {"b": 1, "c": None}}),
        ((None, [1]), [1]),
        (([1], None), [1]),
        (([None, (1, None)], [(2, 3), (None, 4)]), [(2, 3), (1, 4)]),
        (([(1, None), None], [None, [2]], [(3, 4), [5]]), [(1, 4), [2]]),
        (([None], [(1, None)], [(2, 3)]), [(1, 3)]),
        (([None], [None], [[None]]), [[None]]),
        ((Pair(Point(1, None), None), Pair(None, [2])), Pair(Point(1, None), [2])),
        (([()], [None]), [()]),
        (([None], [()]), [()]),
    ],
)
def test_a_none_in_any_argument_may_stand_against_a_subtree(trees: Any, expected: Any) -> None:
    combined = combine(*trees)
    assert tree_structure(combined) == tree_structure(expected)
    assert jax.tree.leaves(combined) == jax.tree.leaves(expected)


def test_a_leaf_of_an_earlier_argument_goes_before_a_subtree() -> None:
    assert combine([5], [[1, 2]]) == [5]
    assert combine([5, (1, None)], [[1, 2], None]) == [5, (1, None)]


def test_is_leaf_takes_nodes_as_a_whole() -> None:
    def is_list(node: object) -> bool:
        return isinstance(node, list)

    assert combine({"a": [1, None]}, {"a": [2, 3]}, is_leaf=is_list) == {"a": [1, None]}
    assert combine({"a": [1, None]}, {"a": None}, is_leaf=is_list) == {"a": [1, None]}
    assert combine({"a": None}, {"a": [1, 2]}, is_leaf=is_list) == {"a": [1, 2]}
    assert combine({"a": [1, None], "b": (1, None)}, {"a": 4, "b": None}, is_leaf=is_list) == {
        "a": [1, None],
        "b": (1, None),
    }


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ({"a": {"b": 1}}, {"a": 5}, "['a']"),
        ([0, (1, 2)], [0, (1, 2, 3)], "[1]"),
        ([0, (1, 2)], [0, [1, 2]], "[1]"),
        ({"a": 1}, {"b": None}, "`pytrees[0]`"),
        ([Pair(1, 2, "x")], [Pair(1, 2, "y")], "[0]"),
        ([()], [(1,)], "[0]"),
    ],
)
def test_structures_that_differ_otherwise_are_refused_with_the_place(first: Any, second: Any, place: str) -> None:
    with pytest.raises(ValueError, match=r"`pytrees\[0\]`") as info:
        combine(first, second)
    assert place in str(info.value)


def test_the_argument_that_differs_is_named() -> None:
    with pytest.raises(ValueError, match=r"`pytrees\[1\]`.*\['a'\]"):
        combine({"a": [1]}, {"a": None}, {"a": 5})


def test_combining_nothing_is_refused() -> None:
    with pytest.raises(TypeError):
        combine()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # what is tested
