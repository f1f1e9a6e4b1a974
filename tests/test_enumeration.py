import copy
import pickle
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


class Result(eqx.Enumeration):
    done = "finished"
    stalled = "no progress"


class Parent(eqx.Enumeration):
    a = "A"
    z = "Z"


class Child(Parent):  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues] # unlike Python's own
    b = "B"


class Other(eqx.Enumeration):
    c = "C"
    a = "A"


# Type checkers take enumerations for Python's own, which cannot be extended like this.
UntypedParent: Any = Parent
UntypedChild: Any = Child
UntypedOther: Any = Other


def value(item):
    (leaf,) = jax.tree.leaves(item)
    return int(leaf)


def chosen(pred):
    return Result.where(pred, Result.done, Result.stalled)


BATCH = jax.vmap(chosen)(jnp.array([True, False]))


def test_an_item_is_a_module_with_one_integer():
    item = Result.stalled
    assert isinstance(item, eqx.Module)
    (leaf,) = jax.tree.leaves(item)
    assert isinstance(leaf, np.ndarray)
    assert (leaf.shape, leaf.dtype, leaf) == ((), np.int32, 1)
    assert jax.tree.structure(Result.done) == jax.tree.structure(Result.stalled)
    assert jax.tree.structure(Result.done) != jax.tree.structure(Parent.a)
    assert Result.done is Result.done


def test_a_computed_item_equals_a_named_one_but_is_another_tree():
    for crossed in (jax.jit(lambda item: item)(Result.done), jax.device_put(Result.done)):
        assert crossed == Result.done
        assert crossed != Result.stalled
        assert eqx.tree_equal(crossed, Result.done) is False
        assert eqx.tree_equal(crossed, jax.device_put(Result.done))
        assert not eqx.tree_equal(crossed, jax.device_put(Result.stalled))
    assert eqx.tree_equal(Result.done, Result.done) is True


def test_names_become_items_in_order():
    class Strange(eqx.Enumeration):
        _private = "one underscore"
        second = "two words"
        __ignored__ = 3

    assert [value(item) for item in Strange] == [0, 1]
    assert list(map(Strange.__getitem__, Strange)) == ["one underscore", "two words"]
    assert Strange.__ignored__ == 3


@pytest.mark.parametrize("name", ["where", "promote"])
def test_names_of_methods_cannot_be_names_of_items(name):
    with pytest.raises(ValueError, match=f"Enumeration `Bad`: an item cannot be called `{name}`"):
        type(Result)("Bad", (eqx.Enumeration,), {name: "text"})


@pytest.mark.parametrize("found", [1, None, lambda self: 1, b"bytes"])
def test_messages_must_be_strings(found):
    with pytest.raises(ValueError, match="Enumeration `Bad`: the item `x` is"):
        type(Result)("Bad", (eqx.Enumeration,), {"x": found})


@pytest.mark.parametrize("base", [int, str, eqx.Module])
def test_bases_must_be_enumerations(base):
    with pytest.raises((ValueError, TypeError), match=f"`{base.__qualname__}` is no enumeration|metaclass conflict"):
        type(Result)("Bad", (eqx.Enumeration, base), {"x": "text"})


def test_a_docstring_lists_the_items_in_plain_text_unless_there_is_one():
    class Documented(eqx.Enumeration):
        """My own."""

        x = "text"

    assert Documented.__doc__ == "My own."
    assert Child.__doc__ == "An enumeration with these items:\n\n- `a`: A\n- `z`: Z\n- `b`: B"


# Operations on the class


def test_it_has_a_length_and_can_be_iterated_and_contains_its_items():
    assert (len(Result), len(Child), len(eqx.Enumeration)) == (2, 3, 0)
    assert bool(eqx.Enumeration)
    assert [value(item) for item in Child] == [0, 1, 2]
    assert Result.done in Result
    assert BATCH in Result
    for other in (Parent.a, Child.a, "done", 0, None):
        assert other not in Result


def test_indexing_gives_the_message():
    assert Result[Result.done] == "finished"
    assert Result[BATCH] == "['finished' 'no progress']"
    assert Result[jax.tree.map(lambda leaf: leaf[:0], BATCH)] == "[]"
    assert Result[jax.eval_shape(lambda: Result.done)] == "unknown"
    assert Result[jax.tree.map(lambda _: object(), Result.done)] == "unknown"
    seen = []
    jax.jit(lambda item: seen.append(Result[item]))(Result.done)
    assert seen == ["traced"]


@pytest.mark.parametrize("key", ["done", 0, None, Parent.a, Result])
def test_indexing_with_anything_but_its_items_is_an_error(key):
    with pytest.raises(ValueError, match=r"`Result\[item\]`"):
        Result[key]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'Result' has no attribute 'doen'"):
        _ = Result.doen


def test_items_are_instances_of_exactly_their_enumeration():
    assert isinstance(Child.a, Child)
    assert isinstance(BATCH, Result)
    for kind in (Parent, eqx.Enumeration, Result):
        assert not isinstance(Child.a, kind)
    assert not isinstance(0, Result)


def test_it_cannot_be_called_or_changed():
    for arguments in ((), (1,), ("done",)):
        with pytest.raises(TypeError, match=r"`Result` has no instances but its items: `Result.done`"):
            Result(*arguments)
    with pytest.raises(AttributeError, match=r"cannot assign to `Result.done`"):
        Result.done = "other"
    with pytest.raises(AttributeError, match=r"cannot assign to `Result.new`"):
        Result.new = "other"
    with pytest.raises(AttributeError, match=r"cannot delete `Result.done`"):
        del Result.done
    assert Result[Result.done] == "finished"


def test_what_is_no_item_may_be_added_and_removed():
    class Outcome(eqx.Enumeration):
        done = "finished"

    Outcome.finished = Outcome.done
    Outcome.is_good = property(lambda self: True)
    assert Outcome.finished is Outcome.done
    assert list(Outcome) == [Outcome.done]
    del Outcome.is_good
    assert not hasattr(Outcome, "is_good")


# Operations on items


def test_items_are_compared_as_arrays_which_are_known_if_the_items_are():
    assert isinstance(Result.done == Result.done, jax.Array)
    assert Result.done == Result.done
    assert Result.done != Result.stalled
    assert not Result.done == Result.stalled  # noqa: SIM201 # this is the operator to be tested
    assert (Result.done == BATCH).tolist() == [True, False]
    assert (Result.done != BATCH).tolist() == [False, True]

    @jax.jit
    def function(item):
        assert Result.done == Result.done
        assert Result.done != Result.stalled
        assert isinstance(item == Result.done, jax.core.Tracer)
        return item == Result.done, item != Result.done

    assert function(Result.stalled) == (False, True)


@pytest.mark.parametrize("other", [0, None, "finished", Parent.a, Child.z])
def test_items_are_compared_with_items_of_the_same_enumeration_only(other):
    for compare in (lambda: Result.done == other, lambda: Result.done != other):
        with pytest.raises(ValueError, match=r"An item of `Result` can be compared only with another one"):
            compare()


def test_items_cannot_be_hashed():
    with pytest.raises(TypeError, match=r"unhashable"):
        hash(Result.done)


def test_whether_an_item_is_traced():
    seen = []
    jax.jit(lambda item: seen.append((item.is_traced(), Result.done.is_traced())))(Result.done)
    assert seen == [(True, False)]
    assert not BATCH.is_traced()


def test_items_print_as_their_messages():
    start = f"{Result.__module__}.Result"
    for show in (repr, str, eqx.tree_pformat):
        assert show(Result.done) == f"{start}<finished>"
        assert show(BATCH) == f"{start}<['finished' 'no progress']>"
        assert show(jax.eval_shape(lambda: Result.done)) == f"{start}<unknown>"
    assert eqx.tree_pformat([Result.done]) == f"[{start}<finished>]"


def test_items_raise_errors_with_their_messages():
    x = jnp.array(1.0)
    assert Result.done.error_if(x, False) is x
    with pytest.raises(eqx.EquinoxTracetimeError) as info:
        Result.done.error_if(x, True)
    assert str(info.value) == "finished"
    fail = eqx.filter_jit(lambda item, pred: item.error_if(x, pred))
    assert fail(Result.stalled, jnp.array(False)) == 1
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"\nno progress\n"):
        fail(Result.stalled, jnp.array(True))
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"Batch index \(1,\) had error:\nno progress"):
        eqx.filter_jit(jax.vmap(lambda item: item.error_if(x, item != Result.done)))(BATCH)


def test_items_go_through_every_transformation():
    def step(carry, pred):
        return Result.where(pred, carry, Result.stalled), carry

    last, items = jax.lax.scan(step, Result.done, jnp.array([True, False, True]))
    assert last == Result.stalled
    assert Result[items] == "['finished' 'finished' 'no progress']"
    assert jax.lax.cond(True, lambda: Result.done, lambda: Result.stalled) == Result.done
    assert eqx.filter_jit(lambda item: item)(Result.stalled) == Result.stalled
    assert jax.vmap(lambda item: Result.where(item == Result.done, item, item))(BATCH).is_traced() is False
    assert jax.lax.while_loop(lambda item: item == Result.done, lambda _: Result.stalled, Result.done) == Result.stalled
    with pytest.raises(TypeError, match=r"pytree"):
        jax.lax.cond(True, lambda: Result.done, lambda: Parent.a)


def test_items_are_pickled_and_copied():
    for item in (Result.stalled, BATCH):
        for copied in (pickle.loads(pickle.dumps(item)), copy.copy(item), copy.deepcopy(item)):
            assert isinstance(copied, Result)
            assert (copied == item).all()
    assert pickle.loads(pickle.dumps(Result)) is Result


# `where`


@pytest.mark.parametrize("pred", [True, np.True_, np.array(True), jnp.array(True)])
def test_where_chooses(pred):
    assert chosen(pred) == Result.done
    assert Result.where(~pred if pred is not True else False, Result.done, Result.stalled) == Result.stalled


def test_where_is_known_if_its_arguments_are():
    @jax.jit
    def function(pred):
        assert chosen(True) == Result.done
        assert Result.where(pred, Result.done, Result.done) is Result.done
        assert chosen(pred).is_traced()
        return chosen(pred)

    assert function(False) == Result.stalled


@pytest.mark.parametrize("pred", [1, 0.0, jnp.array([True]), jnp.array(1), "yes", None])
def test_where_needs_a_boolean_scalar(pred):
    with pytest.raises(ValueError, match=r"argument `pred` of `where`"):
        chosen(pred)


@pytest.mark.parametrize("other", [Parent.a, Child.a, "done", 0])
def test_where_needs_items_of_precisely_this_enumeration(other):
    with pytest.raises(ValueError, match=r"argument `a` of `where`: .* expected an item of `Result`"):
        Result.where(True, other, Result.done)
    with pytest.raises(ValueError, match=r"argument `b` of `where`"):
        Result.where(True, Result.done, other)
    with pytest.raises(ValueError, match=r"argument `a` of `where`"):
        Child.where(True, Parent.a, Child.a)


# Inheritance


def test_items_of_parents_come_first():
    assert [Child[item] for item in Child] == ["A", "Z", "B"]
    assert isinstance(Child.a, Child)

    class Both(UntypedChild, UntypedOther):
        d = "D"

    assert [Both[item] for item in Both] == ["A", "Z", "B", "C", "D"]


def test_of_different_messages_the_last_one_holds_in_the_subclass_only_and_there_is_a_warning():
    with pytest.warns(UserWarning, match=r"item `z` has two messages, 'Z' and 'changed'") as record:

        class Changed(UntypedParent):
            z = "changed"

    assert record[0].filename == __file__
    assert (Changed[Changed.z], Parent[Parent.z]) == ("changed", "Z")
    assert value(Changed.z) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Same(UntypedParent):
            z = "Z"

    assert len(Same) == 2


def test_an_impossible_order_of_bases_is_pythons_error():
    with pytest.raises(TypeError, match=r"MRO|method resolution"):
        type(Result)("Bad", (Parent, Child), {})


def test_promoting_finds_the_item_with_the_same_name():
    class Both(UntypedOther, UntypedChild):
        pass

    assert [value(item) for item in Both] == [0, 1, 2, 3]
    for kind in (Parent, Child, Other):
        for item in kind:
            promoted = Both.promote(item)
            assert isinstance(promoted, Both)
            assert Both[promoted] == kind[item]
    assert jax.jit(Both.promote)(Parent.z) == Both.z
    batch = jax.vmap(lambda pred: Parent.where(pred, Parent.z, Parent.a))(jnp.array([True, False]))
    assert Both[Both.promote(batch)] == "['Z' 'A']"


@pytest.mark.parametrize("item", [Child.a, Result.done, "a", 0, None])
def test_promoting_anything_but_an_item_of_a_parent_is_an_error(item):
    with pytest.raises(ValueError, match=r"argument `item` of `promote`"):
        Child.promote(item)
    with pytest.raises(ValueError, match=r"argument `item` of `promote`"):
        Parent.promote(Child.a)


def test_the_class_of_items_says_what_they_are():
    assert type(Result.done).__name__ == "EnumerationItem"
