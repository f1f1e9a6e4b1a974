"""Values that change from call to call."""

import copy
import inspect
import io
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn import State, StateIndex, make_with_state


class Counter(eqx.nn.StatefulLayer):
    calls: StateIndex[jax.Array]

    def __init__(self):
        self.calls = StateIndex(jnp.array(0))

    def __call__(self, x, state, *, key=None):
        calls = state.get(self.calls)
        return x + calls, state.set(self.calls, calls + 1)


class Net(eqx.Module):
    counter: Counter
    rest: list

    def __init__(self, size=3):
        self.counter = Counter()
        self.rest = [StateIndex((jnp.zeros(size), None)), jnp.ones(2)]


def values(state):
    return [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(state)]


# Making a state.


def test_a_state_has_the_initial_values_in_the_order_of_the_tree():
    indices = {"b": StateIndex(jnp.arange(2)), "a": StateIndex((1, None, [2.5]))}
    state = State(indices)
    assert values(state) == [1, 2.5, [0, 1]]
    value = state.get(indices["a"])
    assert all(leaf.weak_type for leaf in jax.tree.leaves(value))
    assert jax.tree.structure(value) == jax.tree.structure((1, None, [2.5]))


@pytest.mark.parametrize("model", [None, [], jnp.ones(2), eqx.nn.Identity()])
def test_a_model_without_indices_has_an_empty_state(model):
    assert jax.tree.leaves(State(model)) == []
    same, state = make_with_state(lambda: model)()
    assert jax.tree.leaves(state) == []
    assert eqx.tree_equal(same, model)


def test_a_model_without_initial_values_is_an_error_that_says_where_and_what_to_do():
    with pytest.raises(ValueError, match=r"\['a'\].*make_with_state"):
        State({"a": eqx.nn.delete_init_state(StateIndex(0))})


@pytest.mark.parametrize("leaf", ["text", object(), np.array("text")])
def test_an_initial_value_that_is_no_array_is_an_error_that_says_where(leaf):
    with pytest.raises(TypeError, match=r"`model`.*\[0\]\.init\['a'\]"):
        State([StateIndex({"a": leaf})])


# Getting and setting.


def test_set_makes_a_state_with_another_value():
    a, b = StateIndex(jnp.zeros(2)), StateIndex(7)
    state = State([a, b]).set(a, jnp.ones(2))
    assert values(state) == [[1, 1], 7]


@pytest.mark.parametrize(
    ("init", "value"),
    [
        (0, jnp.int32(3)),
        (0, 3),
        (0.0, jnp.float32(3)),
        (jnp.float32(0), 3.0),
        (jnp.zeros(2), np.ones(2, "float32")),
        (jnp.zeros((), "bool"), True),
        ((0, None), (jnp.int32(3), None)),
        (jax.random.key(0), jax.random.key(1)),
    ],
)
def test_a_value_may_be_replaced_by_one_of_the_same_dtype_weak_or_not(init, value):
    index = StateIndex(init)
    new = State(index).set(index, value).get(index)
    for array, leaf in zip(jax.tree.leaves(new), jax.tree.leaves(value), strict=True):
        assert isinstance(array, jax.Array)
        assert jnp.array_equal(array, leaf)


@pytest.mark.parametrize("value", [0.0, jnp.float32(1)])
def test_a_strong_type_is_not_weakened_so_that_nothing_compiles_twice(value):
    index = StateIndex(jnp.float32(0))
    assert not State(index).set(index, value).get(index).weak_type


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (jnp.zeros(3), r"f32\[3\]"),
        (jnp.zeros(2, "int32"), r"i32\[2\]"),
        ((jnp.zeros(2),), r"\(f32\[2\],\)"),
        (None, "None"),
        ("text", "text"),
    ],
)
def test_another_structure_shape_or_dtype_is_an_error_that_shows_both_and_leaves_the_state_as_it_was(value, shown):
    index: Any = StateIndex(jnp.zeros(2))
    state = State(index)
    with pytest.raises(ValueError, match=rf"`value`.*`f32\[2\]`.*`'?{shown}'?`"):
        state.set(index, value)
    assert jnp.array_equal(state.get(index), jnp.zeros(2))


class Subclass(StateIndex, init=False):
    pass


@pytest.mark.parametrize("index", ["calls", None, 0, Subclass(0)])
def test_a_key_that_is_no_index_is_an_error(index):
    state = State(StateIndex(0))
    with pytest.raises(ValueError, match=r"`index`.*`StateIndex`"):
        state.get(index)
    with pytest.raises(ValueError, match=r"`index`.*`StateIndex`"):
        state.set(index, 1)


def test_an_index_of_another_model_is_an_error_that_says_what_there_is():
    _, state = make_with_state(Counter)()
    other, _ = make_with_state(Net)()
    for use in (lambda: state.get(other.counter.calls), lambda: state.set(other.counter.calls, jnp.array(1))):
        with pytest.raises(KeyError, match=r"Net\.counter\.calls.*Counter\.calls"):
            use()


# Old states.


OLD = "old state.*x, state = layer.*flatten.*unflatten"


def old_states():
    index = StateIndex(jnp.array(0))
    by_set, by_update = State(index), State(index)
    by_set.set(index, jnp.array(1))
    by_update.update(State(index))
    return [pytest.param(index, state, id=name) for name, state in [("set", by_set), ("update", by_update)]]


@pytest.mark.parametrize(("index", "state"), old_states())
def test_an_old_state_cannot_be_used_and_says_how_to_copy_it(index, state):
    for use in (
        lambda: state.get(index),
        lambda: state.set(index, jnp.array(1)),
        lambda: state.substate(index),
        lambda: state.update(State(index)),
        lambda: jax.tree.leaves(state),
        lambda: jax.tree_util.tree_leaves_with_path(state),
        lambda: eqx.filter_jit(lambda state: state)(state),
    ):
        with pytest.raises(ValueError, match=OLD):
            use()
    assert repr(state) == "State(<old>)"


def test_reading_leaves_a_state_as_it_is():
    index = StateIndex(jnp.array(0))
    state = State(index)
    state.get(index)
    state.substate(index)
    assert int(state.get(index)) == 0


def test_a_copy_that_was_made_before_can_be_used():
    index = StateIndex(jnp.array(0))
    state = State(index)
    leaves, treedef = jax.tree.flatten(state)
    clone = jax.tree.unflatten(treedef, leaves)
    state.set(index, jnp.array(1))
    assert int(clone.get(index)) == 0


@pytest.mark.parametrize("jit", [jax.jit, eqx.filter_jit])
def test_what_happens_in_a_compiled_function_leaves_the_callers_state_as_it_is(jit):
    counter, state = make_with_state(Counter)()
    new = jit(lambda state: counter(0, state)[1])(state)
    assert (int(state.get(counter.calls)), int(new.get(counter.calls))) == (0, 1)


# Parts of a state.


def test_a_substate_has_the_values_of_a_part_and_updates_the_whole():
    net, state = make_with_state(Net)()
    sub = state.substate([net.counter, net.counter])
    assert values(sub) == [0]
    _, sub = net.counter(0, sub)
    state = state.update(sub)
    assert values(state) == [1, [0, 0, 0]]
    assert values(sub) == [1]
    assert values(state.substate(None)) == []


def test_a_substate_of_another_model_is_an_error():
    _, state = make_with_state(Counter)()
    net, net_state = make_with_state(Net)()
    with pytest.raises(KeyError, match=r"Net\.counter\.calls"):
        state.substate(net)
    with pytest.raises(ValueError, match=r"`sub`.*Net\.counter\.calls"):
        state.update(net_state)
    assert values(state) == [0]


@pytest.mark.parametrize("sub", [None, 1, {}])
def test_an_update_by_something_else_than_a_state_is_an_error(sub):
    with pytest.raises(ValueError, match=r"`sub`.*`State`"):
        State(None).update(sub)


def test_an_update_by_an_old_state_or_by_other_shapes_is_an_error_and_leaves_the_state_as_it_was():
    net, state = make_with_state(Net)()
    old = state.substate(net)
    old.set(net.counter.calls, jnp.array(1))
    with pytest.raises(ValueError, match=r"`sub`.*old state"):
        state.update(old)
    _, larger = make_with_state(Net)(4)
    with pytest.raises(ValueError, match=r"`sub`.*Net\.rest\[0\].*f32\[3\].*f32\[4\]"):
        state.update(larger)
    assert values(state) == [0, [0, 0, 0]]


# As a PyTree.


def test_key_paths_show_the_markers():
    _, state = make_with_state(Net)()
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert paths == ["['Net.counter.calls']", "['Net.rest[0]'][0]"]


def test_states_can_be_carried_through_control_flow():
    counter, state = make_with_state(Counter)()

    def step(state, x):
        y, state = counter(x, state)
        return state, y

    state, ys = jax.lax.scan(step, state, jnp.zeros(3, int))
    assert ys.tolist() == [0, 1, 2]
    state = jax.lax.cond(True, lambda state: step(state, 0)[0], lambda state: state, state)
    state = jax.lax.while_loop(lambda state: state.get(counter.calls) < 10, lambda state: step(state, 0)[0], state)
    assert values(state) == [10]


def test_states_can_be_vmapped():
    counter, state = make_with_state(Counter)()
    xs = jnp.arange(3)
    ys, states = jax.vmap(counter, in_axes=(0, None))(xs, state)
    assert ys.tolist() == [0, 1, 2]
    assert values(states) == [[1, 1, 1]]
    ys, states = jax.vmap(counter)(xs, states)
    assert ys.tolist() == [1, 2, 3]
    assert values(states) == [[2, 2, 2]]


def test_states_can_be_saved_and_loaded():
    net, state = make_with_state(Net)()
    state = state.set(net.counter.calls, jnp.array(5))
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, (net, state))
    file.seek(0)
    net, state = eqx.tree_deserialise_leaves(file, make_with_state(Net)())
    assert int(state.get(net.counter.calls)) == 5


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
def test_copies_live_on_by_themselves(duplicate):
    counter, state = make_with_state(Counter)()
    clone = duplicate(state)
    counter(0, state)
    assert int(clone.get(counter.calls)) == 0
    assert repr(duplicate(state)) == "State(<old>)"


def test_a_state_is_equal_to_itself_alone():
    index = StateIndex(0)
    state, other = State(index), State(index)
    assert state == state
    assert state != other


def test_its_text_shows_what_it_holds():
    _, state = make_with_state(Net)()
    assert repr(state) == "State(Net.counter.calls=weak_i32[], Net.rest[0]=(f32[3], None))"
    assert repr(State(StateIndex(0))) == "State(<unnamed>=weak_i32[])"
    assert repr(State(None)) == "State()"


# Making a model together with its state.


def test_the_model_has_no_initial_values_and_its_indices_have_names():
    net, state = make_with_state(Net)(size=4)
    assert net.counter.calls.marker == "Net.counter.calls"
    assert net.rest[0].marker == "Net.rest[0]"
    assert [leaf.shape for leaf in jax.tree.leaves(net)] == [(2,)]
    assert values(state) == [0, [0, 0, 0, 0]]
    with pytest.raises(ValueError, match=r"counter\.calls.*initial value"):
        State(net)


def test_anything_can_make_a_model():
    model, _ = make_with_state(lambda n: [StateIndex(i) for i in range(n)])(2)
    assert [index.marker for index in model] == ["list[0]", "list[1]"]
    index, state = make_with_state(StateIndex)(3)
    assert index.marker == "StateIndex"
    assert int(state.get(index)) == 3


def test_models_that_are_made_alike_are_interchangeable_and_compile_once():
    traces = 0

    @eqx.filter_jit
    def step(net, state):
        nonlocal traces
        traces += 1
        return net.counter(0, state)[1]

    first, first_state = make_with_state(Net)()
    second, second_state = make_with_state(Net)()
    assert jax.tree.structure((first, first_state)) == jax.tree.structure((second, second_state))
    for net, state in [(first, first_state), (second, second_state), (first, second_state)]:
        assert values(step(net, step(net, state)))[0] == 2
    assert traces == 1


def test_one_index_at_two_places_becomes_two():
    def make():
        index = StateIndex(0)
        return index, index

    (first, second), state = make_with_state(make)()
    state = state.set(first, 1)
    assert (int(state.get(first)), int(state.get(second))) == (1, 0)


def test_models_can_be_made_in_compiled_and_vmapped_functions():
    net, state = eqx.filter_jit(make_with_state(Net))()
    assert values(net.counter(0, state)[1]) == [1, [0, 0, 0]]
    counters, states = eqx.filter_vmap(make_with_state(Counter), axis_size=2)()
    ys, states = eqx.filter_vmap(counters)(jnp.array([1, 2]), states)
    assert ys.tolist() == [1, 2]
    assert values(states) == [[1, 1]]
    shapes = eqx.filter_eval_shape(make_with_state(Net))
    assert [leaf.shape for leaf in jax.tree.leaves(shapes)] == [(2,), (), (3,)]


def test_the_function_looks_like_the_one_that_it_wraps():
    def make(size: int, *, depth: int = 3) -> None:
        """What it does."""

    wrapped = make_with_state(make)
    assert inspect.signature(wrapped) == inspect.signature(make)
    assert (wrapped.__name__, wrapped.__doc__) == ("make", "What it does.")
    assert inspect.signature(make_with_state(Net)) == inspect.signature(Net)
    assert vars(make_with_state(Net)).keys() == {"__wrapped__"}


class Ensemble(eqx.Module):
    counters: Counter

    def __init__(self):
        self.counters = eqx.filter_vmap(Counter, axis_size=2)()

    def __call__(self, xs, state):
        sub = state.substate(self.counters)
        ys, sub = eqx.filter_vmap(self.counters)(xs, sub)
        return ys, state.update(sub)


@pytest.mark.parametrize("jit_make", [False, True])
@pytest.mark.parametrize("jit_call", [False, True])
def test_a_part_of_a_model_can_be_vmapped_with_its_own_part_of_the_state(jit_make, jit_call):
    make = make_with_state(Ensemble)
    ensemble, state = (eqx.filter_jit(make) if jit_make else make)()
    call = eqx.filter_jit(ensemble) if jit_call else ensemble
    xs = jnp.array([10, 20])
    _, state = call(xs, state)
    ys, state = call(xs, state)
    assert ys.tolist() == [11, 21]
    assert values(state) == [[2, 2]]


def test_a_sequential_hands_the_state_from_layer_to_layer():
    def make():
        layers = [Counter(), eqx.nn.LayerNorm(2), eqx.nn.Sequential([Counter()])]
        return eqx.nn.Sequential(layers)

    model, state = make_with_state(make)()
    x = jnp.array([1.0, 2.0])
    y, state = model(x, state)
    assert jnp.array_equal(y, eqx.nn.LayerNorm(2)(x))
    assert values(state) == [1, 1]
    with pytest.raises(ValueError, match="`state`"):
        model(x)
