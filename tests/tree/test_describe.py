import jax.numpy as jnp
import pytest
from jax.tree_util import DictKey, GetAttrKey, SequenceKey

from equinox._tree.describe import describe_node, describe_place
from tests.strategies import Bare, Pair


@pytest.mark.parametrize(
    ("node", "facts"),
    [
        (None, ["`None`"]),
        ([], ["`list`", "without children"]),
        (Bare(), ["`Bare`", "without children"]),
        (Pair(1, 2), ["`Pair`", ".first, .second"]),
        ({"a": 1, "b": None}, ["`dict`", "['a'], ['b']"]),
        (jnp.ones((2, 3)), ["JAX", "float32[2,3]"]),
        ("text", ["`str`", "text"]),
    ],
)
def test_a_node_is_described_by_its_type_and_its_children(node: object, facts: list[str]) -> None:
    for fact in facts:
        assert fact in describe_node(node)


def test_of_many_children_only_some_are_shown() -> None:
    text = describe_node(list(range(1000)))
    assert "[0]" in text
    assert "[999]" in text
    assert "[500]" not in text


def test_a_place_is_shown_as_one_would_write_it() -> None:
    assert describe_place((GetAttrKey("layers"), SequenceKey(0), DictKey("w"))) == "`.layers[0]['w']`"
    assert describe_place(()) == "the root"
