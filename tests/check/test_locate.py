"""Where an error is found to come from, in models that call their parts in all the ways there are."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox._places import modules_in
from equinox.check import check
from equinox.check._locate import failure_of

HERE = Path(__file__).name


class Leaf(eqx.Module):
    weight: jax.Array

    def __call__(self, x):
        return x @ self.weight

    def method(self, x):
        return self(x)


class Stateless(eqx.Module):
    def __call__(self, layer, x):
        return layer(x)


class Pair(eqx.Module):
    """Two parts that look the same unless they differ in size."""

    first: Leaf
    second: Leaf

    def __call__(self, x):
        return self.second(self.first(x))


class Model(eqx.Module):
    layers: list[Pair]
    call: Callable[[Any, Any], Any] = eqx.field(static=True)

    def __call__(self, x):
        for layer in self.layers:
            x = self.call(layer, x)
        return x


def directly(layer, x):
    return layer(x)


# The first axis of the inputs is that of a batch.
WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "directly": directly,
    "vmap": lambda layer, x: jax.vmap(layer)(x),
    "vmap of a function": lambda layer, x: jax.vmap(lambda row: layer(row) + 1)(x),
    "filter_jit": lambda layer, x: eqx.filter_jit(layer)(x),
    "filter_jit of a function": eqx.filter_jit(directly),
    "filter_jit of a partial": lambda layer, x: eqx.filter_jit(eqx.Partial(directly, layer))(x),
    "checkpoint": jax.checkpoint(directly),
    "scan": lambda layer, x: jax.lax.scan(lambda carry, row: (carry, layer(row)), None, x)[1],
    "inside another trace": jax.jit(jax.vmap(directly, (None, 0))),
    "a gradient": lambda layer, x: eqx.filter_value_and_grad(lambda m, y: jnp.sum(m(y)))(layer, x)[0] * x,
}


def leaf(rows, columns):
    return Leaf(jnp.zeros((rows, columns)))


def failure_in(model, *shapes, function=None):
    """The failure of a call with arrays of these shapes, of a model or of a function that gets the model first."""

    def target(model, *arrays):
        return (function or directly)(model, *arrays)

    arrays = ", ".join(f"f32[{','.join(map(str, shape))}]" for shape in shapes)
    result = check(eqx.Partial(target, model), calls=[arrays])
    failure = result.calls[0].failure
    assert failure is not None
    return failure


@pytest.mark.parametrize("way", WAYS)
def test_the_path_leads_to_the_part_that_fails_however_it_is_called(way):
    layers = [Pair(leaf(4, 4), leaf(4, 4)), Pair(leaf(4, 4), leaf(5, 4)), Pair(leaf(4, 4), leaf(4, 4))]
    result = check(Model(layers, WAYS[way]), calls=["f32[3,4]"])
    failure = result.calls[0].failure
    assert failure is not None
    assert failure.path == ".layers[1].second"
    assert [name for name in failure.modules if name != "Partial"] == ["Model", "Pair", "Leaf"]


@pytest.mark.parametrize("way", ["directly", "vmap", "filter_jit", "filter_jit of a partial", "scan"])
def test_parts_that_look_the_same_are_told_apart_where_the_part_itself_is_called(way):
    layers = [Pair(leaf(4, 4), leaf(4, 4)), Pair(leaf(4, 4), leaf(4, 4))]
    result = check(Model(layers, WAYS[way]), calls=["f32[3,5]"])
    failure = result.calls[0].failure
    assert failure is not None
    assert failure.path == ".layers[0].first"


@pytest.mark.parametrize("way", ["filter_jit of a function", "checkpoint"])
def test_parts_that_cannot_be_told_apart_share_a_path(way):
    layers = [Pair(leaf(4, 4), leaf(4, 4)), Pair(leaf(4, 4), leaf(4, 4))]
    result = check(Model(layers, WAYS[way]), calls=["f32[3,5]"])
    failure = result.calls[0].failure
    assert failure is not None
    assert failure.path == ".layers[*].first"


def test_a_part_of_the_same_shape_is_preferred_to_a_stack_of_such_parts():
    def function(pair, x):
        return jax.checkpoint(directly)(pair.second, x)

    model = Pair(Leaf(jnp.zeros((7, 4, 4))), leaf(4, 4))
    assert failure_in(model, (3, 5), function=function).path == ".args[0].second"


class Named(eqx.Module):
    leaf: Leaf
    name: str = eqx.field(static=True)

    def __call__(self, x):
        return self.leaf(x)


def test_parts_that_differ_in_what_is_static_are_told_apart():
    def function(parts, x):
        return jax.checkpoint(directly)(parts[1], x)

    model = [Named(leaf(4, 4), "a"), Named(leaf(4, 4), "b")]
    assert failure_in(model, (3, 5), function=function).path == ".args[0][1].leaf"


def test_attributes_that_cannot_be_told_apart_share_a_path():
    def function(pair, x):
        return jax.checkpoint(directly)(pair.second, x)

    assert failure_in(Pair(leaf(4, 4), leaf(4, 4)), (3, 5), function=function).path == ".args[0].*"


def test_of_parts_at_different_depths_that_cannot_be_told_apart_the_path_is_what_they_share():
    def function(parts, x):
        return jax.checkpoint(directly)(parts[1].first, x)

    failure = failure_in([leaf(4, 4), Pair(leaf(4, 4), leaf(5, 4))], (3, 5), function=function)
    assert failure.path == ".args[0]"
    assert failure.modules == ("Partial", "Leaf")


class Stacked(eqx.Module):
    before: Leaf
    layers: Pair

    def __call__(self, x):
        return jax.lax.scan(lambda x, layer: (layer(x), None), self.before(x), self.layers)[0]


def test_the_slices_of_stacked_layers_are_at_the_path_of_the_stack():
    stack = Pair(Leaf(jnp.zeros((7, 4, 4))), Leaf(jnp.zeros((7, 5, 4))))
    failure = check(Stacked(leaf(4, 4), stack), calls=["f32[4]"]).calls[0].failure
    assert failure is not None
    assert failure.path == ".layers.second"


def test_a_part_without_its_like_in_the_model_leaves_the_path_at_what_called_it():
    def function(layer, x):
        return leaf(7, 7)(layer.first(x))

    failure = check(Model([Pair(leaf(4, 4), leaf(4, 4))], function), calls=["f32[4]"]).calls[0].failure
    assert failure is not None
    assert failure.path == ""
    assert failure.modules == ("Model", "Leaf")


def step(model, scale, *rest):
    return model(scale) + sum(rest)


def loss(self_made, x):
    return self_made(x) + jnp.zeros(17)


@pytest.mark.parametrize("transform", [lambda f: f, eqx.filter_jit])
def test_a_path_into_an_argument_starts_with_the_name_of_the_argument(transform):
    result = check(transform(step), calls=["Pair(leaf(4, 4), leaf(5, 4)), f32[4]", "1, scale=leaf(2, 2), model=f32[3]"])
    first, second = (call.failure for call in result.calls)
    assert first is not None
    assert first.path == "model.second"
    assert first.modules == ("Pair", "Leaf")
    assert second is not None
    assert second.phase == "call"
    assert second.path is None


def test_a_function_that_is_no_method_is_not_a_place_in_the_model_it_gets():
    failure = check(loss, calls=["leaf(4, 4), f32[4]"]).calls[0].failure
    assert failure is not None
    assert failure.path is None
    assert failure.modules == ()


def test_a_method_is_a_target_too_and_wrappers_leave_no_trace_in_paths():
    pair = Pair(leaf(4, 4), leaf(5, 4))
    for target in (pair.first.method, eqx.filter_jit(pair.first.method), eqx.filter_jit(pair.first)):
        failure = check(target, calls=["f32[5]"]).calls[0].failure
        assert failure is not None
        assert failure.path == ""
        assert failure.modules[-1] == "Leaf"


class Narrow(eqx.Module):
    inner: Leaf

    def __init__(self, size):
        self.inner = Leaf(jnp.ones(size) + jnp.ones(3))


class Wide(eqx.Module):
    narrow: Narrow

    def __init__(self, size):
        self.narrow = Narrow(size)


def test_while_building_there_are_no_paths_yet_but_the_modules_being_built():
    failure = check(Wide, init="4").failure
    assert failure is not None
    assert failure.phase == "build"
    assert failure.path is None
    assert failure.modules == ("Wide", "Narrow")


@pytest.mark.parametrize("function", [lambda x: jnp.reshape(x, (7,)), lambda x: json.loads("x")])
def test_the_source_is_the_innermost_line_of_the_user(function):
    failure = check(eqx.nn.Lambda(function), calls=["f32[3]"]).calls[0].failure
    assert failure is not None
    assert failure.source is not None
    name, _, line = failure.source.rpartition(":")
    assert Path(name).name == HERE
    assert int(line) == function.__code__.co_firstlineno


def test_the_source_is_in_an_installed_package_only_if_there_is_no_other_code(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "installed_package.py").write_text("def fail(x):\n    raise ValueError\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    fail = importlib.import_module("installed_package").fail
    monkeypatch.delitem(sys.modules, "installed_package")

    def call(x):
        return fail(x)

    def source_of(function):
        failure = check(function, calls=["f32[3]"]).calls[0].failure
        assert failure is not None
        assert failure.source is not None
        return failure.source

    assert source_of(call).endswith(f"{HERE}:{call.__code__.co_firstlineno + 1}")
    assert source_of(fail) == f"{folder / 'installed_package.py'}:2"


def test_an_error_in_libraries_alone_has_no_source():
    failure = check(eqx.nn.Linear(3, 2, key=jax.random.key(0)), calls=["f32[4]"]).calls[0].failure
    assert failure is not None
    assert failure.source is None
    assert failure.path == ""
    assert "`x` of `Linear`" in failure.message


def test_the_traceback_starts_where_the_checked_code_does():
    failure = failure_in(leaf(4, 4), (5,))
    assert HERE in failure.traceback
    assert "equinox/check/" not in failure.traceback
    assert failure.traceback.rstrip().endswith(failure.message)


def test_notes_are_part_of_the_message():
    error = ValueError("message")
    error.add_note("note\n")
    assert failure_of("call", error, ()).message == "message\nnote"


def test_structures_that_cannot_be_compared_are_not_alike():
    class Odd:
        def __eq__(self, other):
            raise RuntimeError

        __hash__ = object.__hash__

    class Holder(eqx.Module):
        odd: Any = eqx.field(static=True)
        leaf: Leaf

        def __call__(self, x):
            return self.leaf(x)

    def function(holder, x):
        return jax.tree.map(lambda array: array, holder)(x)

    failure = failure_in(
        [Holder(Odd(), leaf(4, 4)), Holder(Odd(), leaf(4, 4))][:1], (5,), function=lambda h, x: function(h[0], x)
    )
    assert failure.modules[-2:] == ("Holder", "Leaf")


def test_modules_are_found_everywhere_in_a_tree_but_inside_static_fields():
    inner = leaf(2, 2)
    tree = {"a": [Pair(inner, inner), None], "b": Model([], Stateless())}
    assert [("".join(path), type(module)) for path, module in modules_in(tree)] == [
        ("['a'][0]", Pair),
        ("['a'][0].first", Leaf),
        ("['a'][0].second", Leaf),
        ("['b']", Model),
    ]
