import pickle

import jax
import pytest

import equinox as eqx
from equinox._files.tree_path_error import error_at_leaf, show_name

PATH = (jax.tree_util.SequenceKey(1), jax.tree_util.DictKey("a"))


def test_the_error_has_the_path_and_the_words():
    error = error_at_leaf("like", PATH, "some reason")
    assert isinstance(error, RuntimeError)
    assert error.path == PATH
    for words in (
        "Error at leaf with path (SequenceKey(idx=1), DictKey(key='a'))",
        "`[1]['a']` of `like`",
        "some reason",
    ):
        assert words in str(error)


def test_the_error_can_be_sent_to_another_process():
    error = pickle.loads(pickle.dumps(error_at_leaf("like", PATH, "some reason")))
    with pytest.raises(eqx.TreePathError, match="some reason"):
        raise error
    assert error.path == PATH


def test_a_tree_that_is_a_leaf_is_at_the_root():
    assert "at the root of `pytree`" in str(error_at_leaf("pytree", (), "reason"))
    assert show_name(".a") == "`.a`"
