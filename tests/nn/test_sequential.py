"""Layers one after the other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)


class Recorder(eqx.Module):
    """Adds its number to the input, and notes what it was called with."""

    number: int
    calls: list

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        return args[0] + self.number


class StatefulRecorder(eqx.nn.StatefulLayer):
    number: int
    calls: list
    stateful: bool = True

    def __call__(self, x, state: Any = None, *, key=None):
        self.calls.append((x, state, key))
        return (x + self.number, [*state, self.number]) if self.stateful else x + self.number

    def is_stateful(self):
        return self.stateful


def test_each_layer_gets_the_output_of_the_one_before():
    calls: list = []
    model = eqx.nn.Sequential([Recorder(1, calls), Recorder(10, calls), Recorder(100, calls)])
    assert model(jnp.float32(0)) == 111
    assert [float(args[0]) for args, _ in calls] == [0, 1, 11]
    assert all(len(args) == 1 and kwargs == {"key": None} for args, kwargs in calls)


def test_each_layer_gets_its_own_part_of_the_key():
    calls: list = []
    eqx.nn.Sequential([Recorder(1, calls), Recorder(10, calls), Recorder(100, calls)])(jnp.float32(0), key=key)
    for (_, kwargs), expected in zip(calls, jax.random.split(key, 3), strict=True):
        assert jnp.array_equal(jax.random.key_data(kwargs["key"]), jax.random.key_data(expected))


def test_typed_and_raw_keys_give_the_same_numbers():
    model = eqx.nn.Sequential([eqx.nn.Dropout(), eqx.nn.Dropout(0.1)])
    typed, raw = (model(jnp.ones(50), key=make(3)) for make in (jax.random.key, jax.random.PRNGKey))
    assert jnp.array_equal(typed, raw)


def test_without_layers_it_is_the_identity():
    x = jnp.ones(3)
    assert eqx.nn.Sequential([])(x) is x
    assert eqx.nn.Sequential([])(x, key=key) is x
    assert eqx.nn.Sequential([])(x, "state") == (x, "state")


@pytest.mark.parametrize("kind", [list, tuple, iter, eqx.nn.Sequential])
def test_any_iterable_of_layers_becomes_a_tuple(kind):
    layers = [eqx.nn.Linear(2, 3, key=key), eqx.nn.Identity()]
    model = eqx.nn.Sequential(kind(layers))
    assert model.layers == tuple(layers)
    assert type(model.layers) is tuple


def test_its_leaves_are_those_of_the_layers():
    model = eqx.nn.Sequential([eqx.nn.Linear(2, 3, key=key), eqx.nn.Lambda(jnp.tanh)])
    assert [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(model)] == [
        ".layers[0].weight",
        ".layers[0].bias",
        ".layers[1].fn",
    ]


def test_it_can_be_compiled_batched_and_differentiated():
    model = eqx.nn.Sequential([eqx.nn.Linear(2, 3, key=key), eqx.nn.Lambda(jnp.tanh), eqx.nn.Dropout(0.2)])

    def loss(model, x, key):
        return jnp.sum(jax.vmap(lambda x, key: model(x, key=key))(x, key) ** 2)

    x, keys = jnp.arange(8.0).reshape(4, 2), jax.random.split(key, 4)
    gradient = eqx.filter_grad(loss)(model, x, keys)
    compiled = eqx.filter_jit(eqx.filter_grad(loss))(model, x, keys)
    np.testing.assert_allclose(gradient.layers[0].weight, compiled.layers[0].weight, rtol=1e-4, atol=1e-6)
    assert gradient.layers[1].fn is None
    assert jnp.any(gradient.layers[0].weight != 0)


def test_a_function_is_an_error_that_says_to_wrap_it():
    model = eqx.nn.Sequential([eqx.nn.Identity(), lambda x: x])
    with pytest.raises(TypeError, match="key") as info:
        model(jnp.ones(3))
    assert any("`layers[1]`" in note and "eqx.nn.Lambda" in note for note in info.value.__notes__)


def test_an_error_inside_a_module_is_left_alone():
    class Broken(eqx.Module):
        def __call__(self, x, *, key=None):
            raise TypeError("mine")

    with pytest.raises(TypeError, match="mine") as info:
        eqx.nn.Sequential([Broken()])(jnp.ones(3))
    assert not hasattr(info.value, "__notes__")


# --- indexing ---------------------------------------------------------------------------------------------------------

layers: list[Any] = [eqx.nn.Identity(), eqx.nn.Linear(2, 3, key=key), eqx.nn.Lambda(jnp.tanh), eqx.nn.Dropout()]
four = eqx.nn.Sequential(layers)


@pytest.mark.parametrize("i", [0, 3, -1, -4, np.int64(2), np.array(1), True])
def test_an_integer_of_any_kind_gives_a_layer(i):
    assert four[i] is layers[i]


def test_a_jax_integer_gives_a_layer():
    assert four[jnp.array(2)] is layers[2]


@pytest.mark.parametrize("i", [4, -5])
def test_an_integer_out_of_range_is_an_error(i):
    with pytest.raises(IndexError):
        four[i]


@pytest.mark.parametrize("i", [slice(1, 3), slice(None), slice(None, None, -2), slice(9, None)])
def test_a_slice_gives_a_sequential(i):
    part = four[i]
    assert type(part) is eqx.nn.Sequential
    assert part.layers == tuple(layers[i])


@pytest.mark.parametrize("i", ["0", 1.0, None, (0, 1)])
def test_other_indices_are_an_error_that_says_what_was_found(i):
    with pytest.raises(TypeError, match="integer or a slice"):
        four[i]


def test_length_and_iteration():
    assert len(four) == 4
    assert all(a is b for a, b in zip(four, layers, strict=True))
    assert eqx.nn.Sequential(list(four)) == four


# --- state ------------------------------------------------------------------------------------------------------------


def test_a_state_passes_through_the_stateful_layers_only():
    calls: list = []
    model = eqx.nn.Sequential([StatefulRecorder(1, calls), Recorder(10, calls), StatefulRecorder(100, calls)])
    state: list[int] = []
    out, state = model(jnp.float32(0), state, key=key)
    assert out == 111
    assert state == [1, 100]
    (_, first_state, first_key), (_, keywords), (_, last_state, last_key) = calls
    assert (first_state, last_state) == ([], [1])
    assert set(keywords) == {"key"}
    for used, expected in zip([first_key, keywords["key"], last_key], jax.random.split(key, 3), strict=True):
        assert used == expected


@pytest.mark.parametrize("state", ["state", None])
def test_a_state_that_is_given_is_returned_even_if_nothing_needs_it(state):
    x = jnp.ones(3)
    assert eqx.nn.Sequential([eqx.nn.Identity()])(x, state) == (x, state)
    assert eqx.nn.Sequential([eqx.nn.Identity()])(x, state=state) == (x, state)


def test_a_missing_state_is_an_error_before_any_layer_runs():
    calls: list = []
    model = eqx.nn.Sequential([Recorder(1, calls), StatefulRecorder(2, calls)])
    with pytest.raises(ValueError, match=r"`state`.*`layers\[1\]`.*`StatefulRecorder`"):
        model(jnp.float32(0))
    assert calls == []


def test_a_stateful_layer_can_say_that_it_is_stateless_after_all():
    calls: list = []
    model: Any = eqx.nn.Sequential([StatefulRecorder(1, calls, stateful=False)])
    assert not model.is_stateful()
    assert model(jnp.float32(0)) == 1
    assert model(jnp.float32(0), "state") == (1, "state")


def test_what_only_looks_stateful_is_called_without_a_state():
    calls: list = []

    class Lookalike(Recorder):
        def is_stateful(self):
            return True

    model = eqx.nn.Sequential([Lookalike(1, calls)])
    assert not model.is_stateful()
    assert model(jnp.float32(0)) == 1


@pytest.mark.parametrize("inner_is_stateful", [True, False])
@pytest.mark.parametrize("outer_has_state", [True, False])
def test_nested_sequentials_are_stateful_if_anything_inside_is(inner_is_stateful, outer_has_state):
    calls: list = []
    inner = eqx.nn.Sequential([StatefulRecorder(1, calls, stateful=inner_is_stateful), eqx.nn.Identity()])
    model: Any = eqx.nn.Sequential([inner, eqx.nn.Identity(), eqx.nn.Sequential([])])
    assert inner.is_stateful() is model.is_stateful() is inner_is_stateful
    if outer_has_state:
        assert model(jnp.float32(0), []) == (1, [1] if inner_is_stateful else [])
    elif inner_is_stateful:
        with pytest.raises(ValueError, match=r"`layers\[0\]`.*`Sequential`"):
            model(jnp.float32(0))
    else:
        assert model(jnp.float32(0)) == 1


def test_the_parts_of_the_key_are_split_again_inside():
    calls: list = []
    eqx.nn.Sequential([eqx.nn.Identity(), eqx.nn.Sequential([Recorder(0, calls)])])(jnp.float32(0), key=key)
    (expected,) = jax.random.split(jax.random.split(key, 2)[1], 1)
    assert calls[0][1]["key"] == expected


def named() -> Any:
    calls: list = []
    return eqx.nn.Sequential({"z": Recorder(1, calls), "a": Recorder(10, calls), "m": Recorder(100, calls)})


def test_layers_may_have_names_and_are_called_in_the_order_of_the_mapping():
    model = named()
    assert model(jnp.float32(0)) == 111
    assert [layer.number for layer in model] == [1, 10, 100]
    leaves, treedef = jax.tree.flatten(model)
    assert jax.tree.unflatten(treedef, leaves).names == ("z", "a", "m")


def test_layers_are_found_by_their_names_and_slices_keep_them():
    model = named()
    assert model["a"].number == model[1].number == 10
    assert model[1:].names == ("a", "m")
    assert model[::-1]["z"].number == 1
    assert "names=('z', 'a', 'm')" in repr(model)


def test_a_name_that_does_not_exist_is_an_error_that_lists_those_that_do():
    with pytest.raises(KeyError, match="`b`, only z, a, m"):
        named()["b"]


def test_without_names_a_string_is_no_index():
    model: Any = eqx.nn.Sequential([eqx.nn.Identity()])
    assert model.names is None
    assert "names" not in repr(model)
    with pytest.raises(TypeError, match="integer or a slice, found"):
        model["a"]


def test_names_are_strings():
    layers: Any = {1: eqx.nn.Identity()}
    with pytest.raises(ValueError, match=r"`layers` must have strings as names, found .*1"):
        eqx.nn.Sequential(layers)
