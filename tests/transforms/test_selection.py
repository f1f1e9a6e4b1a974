"""Which leaves are selected by a function, or by a tree of booleans."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinox as eqx
from equinox._transforms.selection import ByFunction, ByTree, make_selection
from tests.strategies import pytrees


class Model(eqx.Module):
    weight: typing.Any
    bias: typing.Any = None
    name: str = eqx.field(static=True, default="model")


def select(selection, *trees, names="xyz"):
    """What is selected of the leaves of these trees."""
    leaves = jax.tree.leaves(trees)
    return selection.mask(leaves, lambda: list(names[: len(trees)]), trees)


def by_tree(filter_tree, *args, **kwargs):
    """Which leaves a compiled function with this signature finds traced."""

    def function(x, y=None, *, z=None, w=None):
        return jax.tree.map(lambda leaf: str(isinstance(leaf, jax.core.Tracer)), [x, y, z, w])

    output = eqx.jitf(function, filter_tree=filter_tree)(*args, **kwargs)
    return [leaf == "True" for leaf in jax.tree.leaves(output)]


# By a function


def test_a_function_selects_the_leaves_for_which_it_returns_true():
    selection = make_selection("jitf", lambda leaf: leaf > 1, None)
    assert select(selection, {"b": 3, "a": 1}, (2, [0])) == [False, True, True, False]


@pytest.mark.parametrize(("answer", "selected"), [(True, True), (False, False), (np.True_, True), (np.False_, False)])
def test_a_function_may_return_booleans_of_python_or_numpy(answer, selected):
    mask = select(make_selection("jitf", lambda leaf: answer, None), 1, 2)
    assert mask == [selected, selected]
    assert all(type(flag) is bool for flag in mask)


@pytest.mark.parametrize("answer", [None, 0, 1, "", np.array(True), jnp.array(True), np.int64(1), [True], float("nan")])
def test_anything_else_that_a_function_returns_is_an_error_that_names_the_leaf(answer):
    selection = make_selection("jitf", lambda leaf: True if leaf != "bad" else answer, None)
    with pytest.raises(TypeError, match=r"(?s)`filter_fn`.*`y`.*`\['k'\]\[1\]`.*`str`: 'bad'") as info:
        select(selection, "good", {"k": ["good", "bad", "worse"]})
    assert type(answer).__name__ in str(info.value) or "array" in str(info.value)


@pytest.mark.parametrize("transform", [eqx.jitf, eqx.gradf])
def test_the_error_names_arguments_as_the_function_calls_them(transform):
    function = transform(lambda first, second=0.0: first, filter_fn=lambda leaf: None)
    with pytest.raises(TypeError, match=r"(?s)`filter_fn`.*`first`.*`\.weight`"):
        function(Model(1.0))


def test_an_error_in_the_function_comes_through():
    def filter_fn(leaf):
        raise LookupError("from the filter")

    with pytest.raises(LookupError, match="from the filter"):
        eqx.jitf(lambda x: x, filter_fn=filter_fn)(1)


# By a tree


@given(pytrees(), st.data())
@settings(max_examples=50)
def test_a_tree_selects_the_leaves_that_are_true(tree, data):
    choice = [data.draw(st.booleans()) for _ in jax.tree.leaves(tree)]
    flags = jax.tree.unflatten(jax.tree.structure(tree), choice)
    assert select(ByTree(flags), tree) == choice
    assert select(ByTree((flags,)), tree) == choice
    assert select(ByTree([flags]), tree) == choice
    assert select(ByTree((flags, flags)), tree, tree) == 2 * choice
    assert select(ByTree([flags, True]), tree, 1) == [*choice, True]
    assert select(ByTree((flags,), in_tuple=True), tree) == choice
    assert select(ByTree(flags, in_tuple=False), tree) == choice


@pytest.mark.parametrize("flag", [True, np.True_, np.bool_(True)])
def test_flags_may_be_booleans_of_python_or_numpy(flag):
    (selected,) = select(ByTree(flag), 1)
    assert selected is True


def test_with_one_argument_the_tree_stands_alone_or_in_a_tuple():
    for tree in (Model(True, False), (Model(True, False),), [Model(True, False)]):
        assert by_tree(tree, Model(1, 2)) == [True, False]


def test_a_tree_that_fits_is_not_taken_for_a_tuple_of_one():
    assert by_tree((True,), (1,)) == [True]
    assert by_tree(((True,),), (1,)) == [True]
    assert by_tree([True], [1]) == [True]
    assert by_tree(([True],), [1]) == [True]


def test_with_several_arguments_there_is_one_tree_for_each():
    for container in (tuple, list):
        assert by_tree(container([True, {"k": False}]), 1, {"k": 2}) == [True, False]


def test_with_no_argument_the_tree_is_empty():
    assert eqx.jitf(lambda: 1, filter_tree=())() == 1


def test_arguments_passed_by_keyword_come_in_the_order_of_the_signature():
    assert by_tree((True, False), y=1, x=2) == [True, False]
    assert by_tree((True, False, True, False), w=4, y=2, z=3, x=1) == [True, False, True, False]
    # Arguments left to their defaults are not counted.
    assert by_tree((True, False), 1, w=2) == [True, False]
    assert by_tree((False, True), w=1, x=2) == [False, True]


def test_static_arguments_are_not_counted():
    def function(a, b, *, c):
        return [str(isinstance(leaf, jax.core.Tracer)) for leaf in (a, b, c)]

    for options in ({"static_argnums": 1}, {"static_argnames": "b"}, {"static_argnums": -1}):
        for tree in ((True, False), [True, False]):
            assert eqx.jitf(function, filter_tree=tree, **options)(1, (2,), c=3) == ["True", "False", "False"]
            assert eqx.jitf(function, filter_tree=tree, **options)(c=3, b=(2,), a=1) == ["True", "False", "False"]
    one = eqx.jitf(function, filter_tree=True, static_argnums=1, static_argnames="c")
    assert one(1, (2,), c=3) == ["True", "False", "False"]
    assert one(c=3, b=(2,), a=1) == ["True", "False", "False"]


def test_nodes_without_leaves_need_no_flag():
    model = {"layer": Model(1, None), "none": None, "empty": ()}
    flags = jax.tree.map(lambda _: True, model)
    assert by_tree(flags, model) == [True]
    assert by_tree((flags, flags), model, model) == [True, True]


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"a": True}, "['b'][0]"),
        ({"a": True, "b": []}, "['b'][0]"),
        ({"a": True, "b": [True]}, "['b'][1]"),
        ({"a": [True], "b": [True, True]}, "['a']"),
        ({"a": True, "b": True}, "['b'][0]"),
        ({"a": True, "b": [True, True, True]}, "['b'][2]"),
        ({"a": True, "b": [True, True], "c": True}, "['c']"),
        (True, "['a']"),
        (None, "['a']"),
    ],
)
def test_a_tree_of_another_structure_is_an_error_that_names_the_first_difference(tree, path):
    argument = {"a": 1, "b": [2, 3]}
    with pytest.raises(ValueError, match=r"(?s)`filter_tree`.*`y`") as info:
        by_tree((True, tree), 1, argument)
    assert f"`{path}`" in str(info.value)
    if tree is not None:
        with pytest.raises(ValueError, match=r"(?s)`filter_tree`.*`x`") as info:
            by_tree(tree, argument)
        assert f"`{path}`" in str(info.value)


@pytest.mark.parametrize(
    ("tree", "argument"),
    [
        ([True, False], (1, 2)),
        (Model(True, False), {"weight": 1, "bias": 2}),
        (Model(True, False, name="a"), Model(1, 2, name="b")),
        ({"k": (True, None)}, {"k": (1, ())}),
    ],
)
def test_nodes_of_another_type_are_an_error_although_the_leaves_are_the_same(tree, argument):
    # The key paths of lists and tuples are the same, so it takes more to tell them apart.
    with pytest.raises(ValueError, match=r"(?s)`filter_tree`.*`y`") as info:
        by_tree((True, tree), 1, argument)
    assert str(jax.tree.structure(tree)) in str(info.value) or "key path" in str(info.value)


@pytest.mark.parametrize("flag", [1, 0, "yes", 0.5, jnp.array(True), np.array(True), np.ones(2, bool), len])
def test_leaves_that_are_no_booleans_are_an_error_that_names_them(flag):
    with pytest.raises(ValueError, match=r"(?s)`filter_tree`.*`y`.*`\['k'\]\[1\]`") as info:
        by_tree((True, {"k": [True, flag]}), 1, {"k": [1, 2]})
    assert type(flag).__name__ in str(info.value) or "array" in str(info.value)


@pytest.mark.parametrize("tree", [True, (True,), [True], (True, True, True), {"x": True, "y": True}, Model(True, True)])
def test_with_several_arguments_anything_but_a_tuple_of_as_many_trees_is_an_error(tree):
    with pytest.raises(ValueError, match=r"(?s)`filter_tree`.*2.*`x`, `y`"):
        by_tree(tree, 1, 2)


def test_the_structure_is_compared_with_each_call():
    function = eqx.jitf(lambda x: x, filter_tree=[True, True])
    function([1, 2])
    with pytest.raises(ValueError, match="`x`"):
        function([1, 2, 3])
    function([1, 2])


# Precisely one of the two


def test_one_of_the_two_must_be_given():
    with pytest.raises(ValueError, match=r"(?s)`some_f`.*`filter_fn`.*`filter_tree`.*neither"):
        make_selection("some_f", None, None)
    with pytest.raises(ValueError, match=r"(?s)`some_f`.*`filter_fn`.*`filter_tree`.*both"):
        make_selection("some_f", lambda leaf: True, True)
    assert isinstance(make_selection("some_f", len, None), ByFunction)
    assert isinstance(make_selection("some_f", None, False), ByTree)


def test_selections_by_the_same_function_are_equal():
    assert make_selection("jitf", eqx.is_array, None) == make_selection("gradf", eqx.is_array, None)
    assert make_selection("jitf", eqx.is_array, None) != make_selection("jitf", eqx.is_array_like, None)
    assert hash(make_selection("jitf", eqx.is_array, None)) == hash(make_selection("gradf", eqx.is_array, None))
