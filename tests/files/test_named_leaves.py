import jax
import pytest

from equinox._files.named_leaves import dotted, load_named, name_leaves


def test_attributes_keys_and_positions_are_joined_by_dots():
    path = (
        jax.tree_util.GetAttrKey("a"),
        jax.tree_util.DictKey("b"),
        jax.tree_util.DictKey(3),
        jax.tree_util.SequenceKey(0),
        jax.tree_util.FlattenedIndexKey(1),
    )
    assert dotted(path) == "a.b.3.0.1"
    assert dotted(()) == ""


def test_only_leaves_that_are_stored_have_names():
    assert name_leaves({"a": abs, "b": [1, None, "text"]}, None, argument="tree").keys() == {"b.0"}


def test_two_leaves_of_one_name_are_an_error_that_names_the_argument():
    with pytest.raises(ValueError, match=r"argument `tree`, leaf `\['b'\]`.*'x'.*`\['a'\]`"):
        name_leaves({"a": 1, "b": 2}, lambda name: "x", argument="tree")


def test_nothing_is_read_where_names_do_not_match():
    read = []
    with pytest.raises(RuntimeError, match=r"Missing: 'b'. Not in `like`: none"):
        load_named(
            {"a": 1, "b": 2}, ["a"], lambda name, leaf: read.append(name), strict=True, names=None, shardings=None
        )
    assert not read


def test_of_many_names_the_first_are_shown():
    with pytest.raises(RuntimeError, match=r"'6', '7', and 92 more. Not in `like`: none"):
        load_named(list(range(100)), [], lambda name, leaf: leaf, strict=True, names=None, shardings=None)


def test_leaves_are_read_in_the_order_of_the_tree():
    read = []
    tree, report = load_named(
        {"b": 1, "a": 2, "f": abs},
        ["b", "a"],
        lambda name, leaf: read.append(name) or -leaf,
        strict=True,
        names=None,
        shardings=None,
    )
    assert read == ["a", "b"]
    assert tree == {"b": -1, "a": -2, "f": abs}
    assert report.matched == ("a", "b")
