import pytest

from equinox._files.leaf_specs import check_functions, leaf_specs
from equinox._jax_tree import keystr


def spread(prefix, tree, is_leaf=None, is_prefix_leaf=None):
    return leaf_specs(prefix, tree, is_leaf, argument="prefix", tree_argument="tree", is_prefix_leaf=is_prefix_leaf)


def test_each_leaf_has_its_whole_key_path_and_what_the_prefix_says():
    leaves, _ = spread({"a": "x", "b": ("y", "z")}, {"b": ([1], 2), "a": [3, {"c": 4}]})
    found = [(keystr(leaf.path), leaf.spec, leaf.leaf) for leaf in leaves]
    assert found == [
        ("['a'][0]", "x", 3),
        ("['a'][1]['c']", "x", 4),
        ("['b'][0][0]", "y", 1),
        ("['b'][1]", "z", 2),
    ]


def test_a_tree_is_made_again_from_new_leaves():
    tree = {"a": [1, None, {"c": 2}], "b": 3}
    leaves, rebuild = spread({"a": 0, "b": 0}, tree)
    assert rebuild(-leaf.leaf for leaf in leaves) == {"a": [-1, None, {"c": -2}], "b": -3}


def test_is_leaf_stops_at_nodes_of_the_tree():
    leaves, rebuild = spread(0, [None, (1, 2)], is_leaf=lambda x: x is None or type(x) is tuple)
    assert [leaf.leaf for leaf in leaves] == [None, (1, 2)]
    assert rebuild(["a", "b"]) == ["a", "b"]


def test_the_prefix_may_have_leaves_of_its_own():
    leaves, _ = spread([None, 1], [[2, 3], 4], is_prefix_leaf=lambda x: x is None)
    assert [(leaf.spec, leaf.leaf) for leaf in leaves] == [(None, 2), (None, 3), (1, 4)]


def test_what_is_no_prefix_is_an_error_that_names_both_arguments():
    with pytest.raises(ValueError, match=r"argument `prefix`, leaf `\[1\]`.*`tree`"):
        spread([0, [0]], [1, (1,)])


def test_what_is_no_function_is_named():
    check_functions({"a": len})
    with pytest.raises(TypeError, match=r"argument `filter_spec`, leaf `\['a'\]`: .*'text'"):
        check_functions({"a": "text"})
