import jax
import pytest

from equinox._files.renames import stored_names

LIKE = {"encoder": {"layers": [1, 2]}, "head": 1, "empty": None}


def names(renames, like=LIKE, is_leaf=None):
    name = stored_names(renames, like, is_leaf)
    return [name(path) for path, _ in jax.tree_util.tree_leaves_with_path(like, is_leaf)]


def test_without_renames_names_are_key_paths():
    assert names(None) == names({}) == ["['encoder']['layers'][0]", "['encoder']['layers'][1]", "['head']"]


def test_a_leaf_or_a_node_with_all_that_is_below_it_has_its_old_name():
    assert names({".old": lambda like: like["encoder"], "['top']": lambda like: like["head"]}) == [
        ".old['layers'][0]",
        ".old['layers'][1]",
        "['top']",
    ]


def test_the_whole_tree_may_have_been_a_part():
    assert names({".model": lambda like: like}, [1]) == [".model[0]"]


def test_the_innermost_rename_holds():
    renames = {".a": lambda like: like["encoder"], ".b": lambda like: like["encoder"]["layers"][1]}
    assert names(renames)[:2] == [".a['layers'][0]", ".b"]


def test_a_node_that_is_a_leaf_for_is_leaf_can_be_renamed():
    is_leaf = lambda node: isinstance(node, list)  # noqa: E731
    assert names({".old": lambda like: like["encoder"]["layers"]}, is_leaf=is_leaf) == [".old", "['head']"]


@pytest.mark.parametrize("where", [lambda like: 1, lambda like: [], lambda like: like["encoder"]["layers"][0:1]])
def test_something_that_is_not_in_the_tree_is_an_error_that_names_the_rename(where):
    with pytest.raises(TypeError, match=r"`renames`.*'\.old'.*node or leaf of `like`"):
        names({".old": where})


def test_two_old_names_for_one_node_are_an_error():
    with pytest.raises(ValueError, match=r"'\.a' and '\.b' are both at `\['head'\]`"):
        names({".a": lambda like: like["head"], ".b": lambda like: like["head"]})
