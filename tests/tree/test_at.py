import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox import tree_at
from equinox._jax_tree import tree_flatten, tree_structure
from equinox._tree.predicates import is_none
from tests.naming import show
from tests.strategies import Bare, Empty, Pair, Point, Record, pytrees, same_tree


def all_places(tree: Any) -> list[tuple[Any, ...]]:
    """The keys that lead to each node of a tree, the empty ones and the leaves included, from the root downwards."""
    places: list[tuple[Any, ...]] = []

    def visit(path: tuple[Any, ...], _: Any) -> bool:
        places.append(path)
        return False

    jax.tree_util.tree_flatten_with_path(tree, is_leaf=visit, is_leaf_takes_path=True)
    return places


def follow(path: tuple[Any, ...], tree: Any) -> Any:
    for key in path:
        tree = getattr(tree, key.name) if hasattr(key, "name") else tree[getattr(key, "key", getattr(key, "idx", None))]
    return tree


# Replacing


@given(tree=pytrees(), data=st.data())
def test_exactly_the_addressed_place_changes_wherever_it_is(tree: Any, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(all_places(tree)))
    where = functools.partial(follow, place)
    new = object()
    replaced = tree_at(where, tree, new, is_leaf=is_none)
    assert follow(place, replaced) is new
    assert same_tree(tree_at(where, replaced, follow(place, tree)), tree)


@given(tree=pytrees(), data=st.data())
def test_several_leaves_are_replaced_at_once(tree: Any, data: st.DataObject) -> None:
    leaves, treedef = tree_flatten(tree)
    chosen = data.draw(st.lists(st.integers(0, len(leaves) - 1), unique=True)) if leaves else []
    replaced = tree_at(lambda t: [jax.tree.leaves(t)[i] for i in chosen], tree, [f"new {i}" for i in chosen])
    expected = [f"new {i}" if i in chosen else leaf for i, leaf in enumerate(leaves)]
    assert tree_structure(replaced) == treedef
    assert all(
        a is b or (isinstance(a, str) and a == b) for a, b in zip(jax.tree.leaves(replaced), expected, strict=True)
    )


@given(tree=pytrees())
def test_an_empty_sequence_copies_the_tree(tree: Any) -> None:
    assert same_tree(tree_at(lambda _: (), tree, ()), tree)
    assert same_tree(tree_at(lambda _: list[Any](), tree, []), tree)
    assert same_tree(tree_at(lambda _: (), tree, replace_fn=lambda _: "never"), tree)


def test_containers_are_new_and_the_input_is_unchanged() -> None:
    tree = {"a": [1, 2], "b": [3]}
    replaced = tree_at(lambda t: t["a"][0], tree, "new")
    assert replaced == {"a": ["new", 2], "b": [3]}
    assert tree == {"a": [1, 2], "b": [3]}
    assert replaced["b"] is not tree["b"]


def test_untouched_leaves_are_the_same_objects() -> None:
    tree = Pair(jnp.ones(2), Point(jnp.zeros(3), object()))
    replaced = tree_at(lambda t: t.second.x, tree, 0)
    assert replaced.first is tree.first
    assert replaced.second.y is tree.second.y


@pytest.mark.parametrize(
    "new", [None, 1, "a", (1, 2), [jnp.ones(2)], {"a": None}, Pair(1, 2), ..., lambda x: x], ids=show
)
def test_anything_may_be_put_in(new: Any) -> None:
    assert tree_at(lambda t: t.second[0], Pair(1, (2, 3)), new).second[0] is new
    assert tree_at(lambda t: t.second, Pair(1, (2, 3)), new).second is new
    assert tree_at(lambda t: t, Pair(1, (2, 3)), new) is new


def test_no_constructor_converter_or_check_runs() -> None:
    class Checked(eqx.Module):
        x: Any = eqx.field(converter=float)

        def __post_init__(self) -> None:
            raise AssertionError("constructed")

        def __check_init__(self) -> None:
            raise AssertionError("checked")

    treedef = tree_structure(Record(0, "x"))
    assert tree_at(lambda t: t.value, treedef.unflatten([1]), "new").value == "new"
    checked = object.__new__(Checked)
    object.__setattr__(checked, "x", 1.0)
    assert tree_at(lambda t: t.x, checked, "new").x == "new"


def test_a_container_is_one_node_so_a_tuple_replaces_it_whole() -> None:
    tree: Any = ([1, 2], 3)
    assert tree_at(lambda t: t[0], tree, (4, 5)) == ((4, 5), 3)


@pytest.mark.parametrize("sequence", [lambda *nodes: nodes, lambda *nodes: list(nodes)], ids=["tuple", "list"])
@pytest.mark.parametrize("replacements", [(8, 9), [8, 9], range(8, 10), {0: 8, 1: 9}.values()], ids=show)
def test_several_nodes_are_replaced_by_any_sequence(sequence: Any, replacements: Any) -> None:
    tree = Pair(1, {"a": [2, 3]})
    replaced = tree_at(lambda t: sequence(t.first, t.second["a"]), tree, replacements)
    assert (replaced.first, replaced.second) == (8, {"a": 9})


def test_a_sequence_of_one_node_takes_a_sequence_of_one() -> None:
    assert tree_at(lambda t: [t[0]], (1, 2), [3]) == (3, 2)
    assert tree_at(lambda t: (t[0],), (1, 2), (3,)) == (3, 2)


def test_a_new_list_of_the_children_of_a_list_is_a_sequence_of_nodes() -> None:
    tree: Any = [[1, 2, 4], 3]
    assert tree_at(lambda t: t[0][:2], tree, [8, 9]) == [[8, 9, 4], 3]


def test_replace_fn_is_given_the_real_nodes() -> None:
    tree = Pair(jnp.ones(2), [1, 2])
    replaced = tree_at(lambda t: (t.first, t.second), tree, replace_fn=lambda node: [node])
    assert replaced.first[0] is tree.first
    assert replaced.second == [[1, 2]]


def test_replace_fn_cannot_change_the_input() -> None:
    tree = {"a": [1, 2]}
    tree_at(lambda t: t["a"], tree, replace_fn=lambda node: node.append(3))
    assert tree == {"a": [1, 2]}


def test_of_a_node_listed_twice_the_last_replacement_wins() -> None:
    assert tree_at(lambda t: (t[0], t[1], t[0]), [1, 2], [7, 8, 9]) == [9, 8]


def test_replace_fn_is_called_once_per_node_in_the_order_of_the_selection() -> None:
    calls: list[int] = []
    tree_at(lambda t: (t[2], t[0], t[2], t[1]), [1, 2, 3], replace_fn=calls.append)
    assert calls == [3, 1, 2]


def test_the_boolean_tree_idiom_works() -> None:
    model = Pair(jnp.ones(2), [jnp.zeros(2), "name"])
    spec = tree_at(lambda m: m.second[0], jax.tree.map(lambda _: False, model), True)
    assert jax.tree.leaves(spec) == [False, True, False]
    kept, _ = eqx.partition(model, spec)
    assert jax.tree.leaves(kept) == [model.second[0]]


# One object at several places

ARRAY = jnp.ones(2)
LIST = [1, 2]


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Constant:
    """A node that is one object in every copy of a tree."""


CONSTANT = Constant()


@pytest.mark.parametrize(
    "shared", [ARRAY, LIST, 1, "a", (), [], {}, Empty(), Bare(), Pair(1, 2), ((), ()), CONSTANT], ids=show
)
def test_only_the_addressed_place_changes(shared: Any) -> None:
    tree = {"a": (shared, shared), "b": [shared, None]}
    replaced = tree_at(lambda t: t["a"][1], tree, "new")
    assert replaced["a"][1] == "new"
    assert same_tree(replaced["a"][0], shared)
    assert same_tree(replaced["b"], tree["b"])
    both = tree_at(lambda t: (t["b"][0], t["a"][0]), tree, replace_fn=lambda node: [node])
    assert same_tree(both, {"a": ([shared], shared), "b": [[shared], None]})


def test_an_empty_tuple_in_the_tree_is_told_from_an_empty_selection() -> None:
    tree: Any = ((), 1)
    assert tree_at(lambda t: t[0], tree, "new") == ("new", 1)
    assert tree_at(lambda _: (), tree, ()) == ((), 1)
    assert tree_at(lambda t: (t[0], t[1]), tree, ("a", "b")) == ("a", "b")
    assert tree_at(lambda t: t, tree[0], "new") == "new"


def test_an_empty_tuple_can_be_navigated_past() -> None:
    assert tree_at(lambda t: t[1] if len(t[0]) == 0 else None, ((), 1), 2) == ((), 2)
    assert tree_at(lambda t: jax.tree.leaves(t)[1], ((), 1, 2), 9) == ((), 1, 9)


def test_an_empty_tuple_is_still_one_for_where_when_it_is_selected() -> None:
    tree: Any = [(), (), 1]
    assert tree_at(lambda t: [x for x in t[:2] if isinstance(x, tuple) and len(x) == 0][1], tree, 2) == [(), 2, 1]


def test_is_leaf_holds_also_where_an_empty_tuple_is_selected() -> None:
    tree: Any = [(), (), None, None]
    assert tree_at(lambda t: (t[1], t[3]), tree, (1, 2), is_leaf=is_none) == [(), 1, None, 2]


def test_an_empty_namedtuple_keeps_its_type() -> None:
    replaced = tree_at(lambda t: t[1], (Empty(), 1), 2)
    assert type(replaced[0]) is Empty


# None


@pytest.mark.parametrize("where", [lambda t: t[0]["a"], lambda t: [t[0]["a"]]])
def test_the_only_none_can_be_replaced(where: Callable[[Any], Any]) -> None:
    assert tree_at(where, ({"a": None}, 1), [2]) in [({"a": [2]}, 1), ({"a": 2}, 1)]


def test_one_of_several_nones_needs_is_leaf() -> None:
    with pytest.raises(ValueError, match=re.escape("is_leaf=lambda x: x is None")):
        tree_at(lambda t: t[0], [None, None], 1)
    assert tree_at(lambda t: t[0], [None, None], 1, is_leaf=lambda x: x is None) == [1, None]
    assert tree_at(lambda t: (t[1], t[0]), [None, None], (1, 2), is_leaf=lambda x: x is None) == [2, 1]


def test_is_leaf_makes_nodes_addressable_leaves() -> None:
    def is_tuple(node: object) -> bool:
        return isinstance(node, tuple)

    tree = [(1, 2), (1, 2)]
    assert tree_at(lambda t: t[1], tree, replace_fn=sum, is_leaf=is_tuple) == [(1, 2), 3]
    with pytest.raises(TypeError, match="where must not look at leaves"):
        tree_at(lambda t: t[1][0], tree, 0, is_leaf=is_tuple)


# What `where` may do


class Model(eqx.Module):
    layers: list[Any]
    size: int = eqx.field(static=True, default=3)
    name: str = eqx.field(static=True, default="model")

    def last(self) -> Any:
        return self.layers[-1]


def self_of_method(model: Any) -> Any:
    return model.last.__self__.layers[0]


def test_where_may_use_structure_static_fields_and_methods_that_navigate() -> None:
    model = Model([1, [2, 3], {"a": 4}])
    assert tree_at(lambda m: m.last()["a"], model, 0).layers == [1, [2, 3], {"a": 0}]
    assert tree_at(self_of_method, model, 0).layers[0] == 0
    assert tree_at(lambda m: m.layers[m.size - 2][len(m.layers) - 2], model, 0).layers[1] == [2, 0]
    assert tree_at(lambda m: [x for x in m.layers if isinstance(x, dict)], model, [0]).layers[2] == 0


def test_where_is_not_given_the_tree_itself() -> None:
    tree = [1, [2]]
    seen: list[Any] = []

    def where(t: Any) -> Any:
        seen.append(t)
        return t[0]

    tree_at(where, tree, 0)
    assert len(seen) > 1
    assert all(t is not tree and t[1] is not tree[1] for t in seen)


def test_the_nodes_of_a_jax_partial_can_be_replaced() -> None:
    partial = jax.tree_util.Partial(jnp.add, jnp.ones(2))
    assert tree_at(lambda p: p.args[0], partial, 1)(2) == 3


def test_filtered_trees_can_be_edited() -> None:
    dynamic, static = eqx.partition(Pair(jnp.ones(2), [jnp.tanh, jnp.zeros(2)]), eqx.is_array)
    edited = eqx.combine(tree_at(lambda t: t.second[1], dynamic, jnp.ones(3)), static)
    assert edited.second[0] is jnp.tanh
    assert edited.second[1].shape == (3,)


def test_it_works_inside_of_jit() -> None:
    tree = {"a": jnp.ones(2), "b": jnp.zeros(2)}
    replaced = jax.jit(lambda t: tree_at(lambda t: t["a"], t, replace_fn=lambda x: x + 1))(tree)
    assert replaced["a"].tolist() == [2, 2]
    assert replaced["b"].tolist() == [0, 0]


# Errors


@pytest.mark.parametrize(
    "options", [{}, {"replace": 1, "replace_fn": lambda x: x}, {"replace": None, "replace_fn": len}]
)
def test_exactly_one_of_replace_and_replace_fn_is_needed(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"`replace`.*`replace_fn`"):
        tree_at(lambda t: t[0], [1, 2], **options)


@pytest.mark.parametrize(
    ("where", "outer", "inner"),
    [
        (lambda t: (t["a"], t["a"][1]), "`['a']`", "`['a'][1]`"),
        (lambda t: (t["a"][1], t["a"]), "`['a']`", "`['a'][1]`"),
        (lambda t: [t["b"], t], "the root", "`['b']`"),
    ],
)
def test_a_node_and_one_inside_of_it_are_refused_with_both_places(where: Any, outer: str, inner: str) -> None:
    with pytest.raises(ValueError, match="`where`") as info:
        tree_at(where, {"a": [1, 2], "b": 3}, (8, 9))
    assert outer in str(info.value)
    assert inner in str(info.value)


@pytest.mark.parametrize("where", [lambda m: m[0].name, lambda m: (m[1], m[0].name)])
def test_a_static_field_is_refused_as_static(where: Any) -> None:
    with pytest.raises(TypeError, match=r"`where`.*static field `\[0\]\.name` of `Model`"):
        tree_at(where, [Model([1]), 2], (1, 2))


def test_a_static_field_of_any_dataclass_is_named() -> None:
    with pytest.raises(TypeError, match=r"static field `\['a'\]\.name` of `Record`"):
        tree_at(lambda t: t["a"].name, {"a": Record(1, "name")}, 1)


def test_a_static_tuple_is_refused_as_static() -> None:
    class Sized(eqx.Module):
        weight: Any
        sizes: tuple[int, ...] = eqx.field(static=True)

    with pytest.raises(TypeError, match=r"static field `\.sizes` of `.*Sized`"):
        tree_at(lambda t: t.sizes, Sized(1, (1000, 2000)), (3, 4))


@pytest.mark.parametrize(
    "where",
    [
        lambda _: 12345,
        lambda _: "constant",
        lambda _: None,
        lambda _: jnp.ones(2),
        lambda t: (t[0], 12345),
        lambda t: (t[0], None),
        lambda t: (x for x in t),
        lambda t: t[0] == 1,
    ],
)
def test_what_is_not_in_the_tree_is_refused(where: Any) -> None:
    with pytest.raises(TypeError, match=r"`where`.*`pytree`"):
        tree_at(where, [1, 2], (8, 9))


@pytest.mark.parametrize(
    "where", [lambda t: {"a": t[0]}, lambda t: [t[0], [t[1]]], lambda t: Pair(t[0], t[1]), lambda t: ([t[0], t[1]],)]
)
@pytest.mark.parametrize("options", [{"replace": (8, 9)}, {"replace_fn": str}], ids=["replace", "replace_fn"])
def test_other_containers_of_nodes_are_refused(where: Any, options: Any) -> None:
    with pytest.raises(ValueError, match=r"`where`.*`pytree`"):
        tree_at(where, [1, 2], **options)


@pytest.mark.parametrize(
    "where",
    [
        lambda t: t["b"] if t["a"] == 1 else t["c"],
        lambda t: t["b"] if isinstance(t["a"], int) else t["c"],
        lambda t: [x for x in jax.tree.leaves(t) if isinstance(x, int)],
        lambda t: [x for x in jax.tree.leaves(t) if not isinstance(x, int)],
        lambda t: t["b"] if t["zero"] else t["c"],
        lambda t: [t["b"]] if isinstance(t["a"], int) else t["b"],
        lambda t: t["b"] if isinstance(t["a"], int) else [t["b"]],
    ],
)
def test_a_choice_that_depends_on_leaves_is_refused(where: Any) -> None:
    with pytest.raises(ValueError, match=r"`where`.*where must not look at leaves"):
        tree_at(where, {"a": 1, "b": 2, "c": "x", "zero": 0}, replace_fn=str)


@pytest.mark.parametrize(
    ("where", "error"),
    [
        (lambda t: t[0] + 1, TypeError),
        (lambda t: t[0][0], TypeError),
        (lambda t: t[0].shape, AttributeError),
        (lambda t: t[0].at[0].set(1), AttributeError),
        (lambda t: next(x for x in t if isinstance(x, jax.Array)), ValueError),
    ],
)
def test_where_that_uses_a_leaf_fails_and_is_told_so(where: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`where`.*where must not look at leaves") as info:
        tree_at(where, [jnp.ones(2), 1], 0)
    assert info.value.__cause__ is not None


def test_an_error_of_where_on_the_tree_itself_is_left_alone() -> None:
    model: Any = Model([1])
    with pytest.raises(AttributeError, match="wieght") as info:
        tree_at(lambda m: m.wieght, model, 0)
    assert "leaves" not in str(info.value)
    with pytest.raises(ZeroDivisionError):
        tree_at(lambda _: 1 / 0, [1], 0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_replacements_is_refused_with_both_numbers(count: int) -> None:
    with pytest.raises(ValueError, match=rf"`replace`.*{count}.*2"):
        tree_at(lambda t: (t[0], t[1]), [1, 2], [0] * count)


@pytest.mark.parametrize("replace", [1, None, jnp.array(1), iter([1, 2]), len], ids=show)
def test_several_nodes_need_a_sequence_of_replacements(replace: Any) -> None:
    with pytest.raises(TypeError, match="`replace`"):
        tree_at(lambda t: (t[0], t[1]), [1, 2], replace)
