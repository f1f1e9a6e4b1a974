import dataclasses
import inspect
import re
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
import wadler_lindig as wl
from hypothesis import given
from hypothesis import strategies as st

from equinox._tree.pretty import tree_pformat
from equinox._tree.pretty_layout import lay_out_strictly


@dataclasses.dataclass
class Node:
    left: Any
    right: Any = None


class Point(NamedTuple):
    x: Any
    y: Any


needs_newer_documents = pytest.mark.skipif(
    "width" not in inspect.signature(wl.TextDoc).parameters, reason="wadler_lindig before 0.1.8 has no such documents"
)

# Every kind of bracket, with what opens and what closes it.
GROUPS = [
    ([111, 222], "[", "111", "222", "]"),
    ((111, 222), "(", "111", "222", ")"),
    ({1: 11, 2: 22}, "{", "1: 11", "2: 22", "}"),
    ({1110, 2220}, "{", "1110", "2220", "}"),
    (frozenset([1110, 2220]), "frozenset({", "1110", "2220", "})"),
    (Point(1, 2), "Point(", "x=1", "y=2", ")"),
    (Node(1, 2), "Node(", "left=1", "right=2", ")"),
]


@pytest.mark.parametrize(("tree", "begin", "first", "second", "end"), GROUPS)
def test_a_group_takes_the_first_layout_that_fits(tree, begin, first, second, end):
    items = (
        sorted([first, second], key=list(map(str, tree)).index)
        if isinstance(tree, (set, frozenset))
        else [first, second]
    )
    flat = f"{begin}{', '.join(items)}{end}"
    indented = f"{begin}\n  {', '.join(items)}\n{end}"
    vertical = f"{begin}\n  {items[0]},\n  {items[1]}\n{end}"
    assert tree_pformat(tree, width=len(flat)) == flat
    assert tree_pformat(tree, width=len(flat) - 1) == (indented if 2 + len(", ".join(items)) < len(flat) else vertical)
    assert tree_pformat(tree, width=2 + len(", ".join(items)) - 1) == vertical
    assert tree_pformat(tree, width=1) == vertical


def test_all_items_go_on_one_indented_line_if_they_fit_there():
    tree = Node([111, 222], 333)
    assert tree_pformat(tree, width=28) == "Node(\n  left=[111, 222], right=333\n)"
    assert tree_pformat(tree, width=27) == "Node(\n  left=[111, 222],\n  right=333\n)"


def test_nested_groups_decide_for_themselves():
    tree = [[1, 2], [111, 222, 333], 4]
    assert tree_pformat(tree, width=14) == "[\n  [1, 2],\n  [\n    111,\n    222,\n    333\n  ],\n  4\n]"
    assert tree_pformat(tree, width=18) == "[\n  [1, 2],\n  [111, 222, 333],\n  4\n]"


def test_only_a_tuple_of_one_has_a_trailing_comma():
    assert tree_pformat(("aaaaaaaa",), width=5) == "(\n  'aaaaaaaa',\n)"
    assert tree_pformat(["aaaaaaaa"], width=5) == "[\n  'aaaaaaaa'\n]"


def test_empty_brackets_are_never_broken():
    assert tree_pformat([[], {}, (), set()], width=1) == "[\n  [],\n  {},\n  (),\n  set()\n]"


@pytest.mark.parametrize("indent", [0, 1, 2, 4])
def test_items_are_indented_by_the_given_amount(indent):
    space = " " * indent
    text = tree_pformat([[1111111, 2222222], 3], indent=indent, width=12)
    assert text == f"[\n{space}[\n{2 * space}1111111,\n{2 * space}2222222\n{space}],\n{space}3\n]"


def test_a_comma_after_a_group_needs_room_too():
    tree = [[1, 2], [3, 4]]
    assert tree_pformat(tree, width=9) == "[\n  [1, 2],\n  [3, 4]\n]"
    assert tree_pformat(tree, width=8) == "[\n  [\n    1, 2\n  ],\n  [3, 4]\n]"


def test_the_comma_of_a_tuple_of_one_needs_room_too():
    tree = ([1, 2],)
    assert tree_pformat(tree, width=8, indent=1) == "(\n [1, 2],\n)"
    assert tree_pformat(tree, width=7, indent=1) == "(\n [\n  1, 2\n ],\n)"


def test_a_value_starts_on_the_line_of_its_key():
    tree = {"layers": [111, 222], "b": "long" * 5}
    assert tree_pformat(tree, width=16) == ("{\n  'layers': [\n    111, 222\n  ],\n  'b': 'longlonglonglonglong'\n}")


def test_the_colon_after_a_key_needs_room_too():
    assert tree_pformat({(111, 222): 3}, width=13) == "{\n  (\n    111, 222\n  ): 3\n}"


@pytest.mark.parametrize(
    ("value", "text"), [([], "[]"), (np.float32(0.5), "np.float32(0.5)"), ([111, 222], "[\n    111, 222\n  ]")]
)
def test_what_a_value_starts_with_needs_room_after_the_key_too(value, text):
    tree = {"b": "b" * 30, (111, 222): value}
    width = len(f"  (111, 222): {text.splitlines()[0]}")
    begin = f"{{\n  'b': '{'b' * 30}',"
    assert tree_pformat(tree, width=width) == f"{begin}\n  (111, 222): {text}\n}}"
    assert tree_pformat(tree, width=width - 1) == f"{begin}\n  (\n    111, 222\n  ): {text}\n}}"


def test_an_item_that_is_too_wide_goes_beyond_the_width():
    assert tree_pformat([1, "a" * 30], width=10) == f"[\n  1,\n  '{'a' * 30}'\n]"


@needs_newer_documents
def test_text_that_does_not_count_is_still_laid_out():
    document = wl.TextDoc("ab", width=False) + wl.pdoc([1, 2])
    assert wl.pformat(lay_out_strictly(document), width=6) == "ab[1, 2]"


@needs_newer_documents
def test_a_group_that_must_be_vertical_stays_vertical():
    document = (wl.TextDoc("a") + wl.BreakDoc(" ") + wl.TextDoc("b")).group(force_vertical=True) + wl.TextDoc("c")
    assert wl.pformat(lay_out_strictly(document), width=80) == "a\nbc"


def test_a_document_without_groups_is_unchanged():
    for document in (wl.TextDoc("a"), wl.TextDoc("a") + wl.BreakDoc(" ") + wl.TextDoc("b")):
        assert wl.pformat(lay_out_strictly(document), width=1) == wl.pformat(document, width=1)


def test_a_deep_tree_needs_no_more_of_pythons_stack_than_wadler_lindig():
    tree: list[Any] = []
    for _ in range(150):
        tree = [tree]
    assert tree_pformat(tree, width=400) == "[" * 151 + "]" * 151


atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text("abc", max_size=12),
    st.sampled_from([jnp.zeros((2, 3)), np.zeros(3), jnp.asarray(1.0), np.float32(0.5), abs, len]),
)
keys = st.one_of(st.text("abc", max_size=5), st.integers(0, 99), st.tuples(st.integers(0, 9), st.integers(0, 9)))
trees = st.recursive(
    atoms,
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(keys, children, max_size=3),
        st.builds(Node, children, children),
        st.builds(Point, children, children),
        st.sets(st.integers(0, 99), max_size=3),
    ),
    max_leaves=12,
)


def could_be_broken(line: str) -> bool:
    """Whether a line holds several items, or brackets around one."""
    # These texts are single items although they hold brackets or spaces.
    line = re.sub(r"\w+\[[\d,]*\](\(numpy\))?|np\.float32\(0\.5\)|<[\w -]+>|'\w*'|frozenset\(\)|set\(\)", "atom", line)
    return ", " in line or re.search(r"[\[({][^\])}]", line) is not None


@given(trees, st.integers(1, 60), st.integers(0, 4))
def test_no_line_is_wider_than_the_width_unless_a_single_item_is(tree, width, indent):
    for line in tree_pformat(tree, width=width, indent=indent).split("\n"):
        assert len(line) <= width or not could_be_broken(line.strip())


@given(trees, st.integers(1, 60), st.integers(0, 4))
def test_the_layout_changes_white_space_only(tree, width, indent):
    flat = tree_pformat(tree, width=10_000)
    assert "\n" not in flat
    broken = tree_pformat(tree, width=width, indent=indent)
    assert re.sub(r"\s", "", broken) == re.sub(r"\s", "", flat)


@given(trees)
def test_a_tree_that_fits_is_on_one_line(tree):
    flat = tree_pformat(tree, width=10_000)
    assert tree_pformat(tree, width=len(flat)) == flat
