"""`filter_cond` and `filter_switch` are those of `jax.lax` for operands and outputs that hold anything."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


class Layer(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)

    def __call__(self, x):
        return self.activation(self.weight * x)


def double(model, x, note):
    return eqx.tree_at(lambda model: model.weight, model, 2 * model.weight), x, note


def negate(model, x, note):
    return eqx.tree_at(lambda model: model.weight, model, -model.weight), 2 * x, note


def keep(model, x, note):
    return model, x, note


@pytest.mark.parametrize("jit", [lambda f: f, eqx.filter_jit])
@pytest.mark.parametrize("pred", [True, False, jnp.array(True), np.array(False), jnp.array(1.0)])
def test_the_condition_decides_which_function_is_called(jit, pred):
    model = Layer(jnp.array(3.0), size=2)
    result, x, note = jit(lambda pred, model: eqx.filter_cond(pred, double, negate, model, jnp.ones(2), "note"))(
        pred, model
    )
    assert result.weight == (6 if pred else -3)
    assert x.tolist() == ([1, 1] if pred else [2, 2])
    assert (result.activation, result.size, note) == (jnp.tanh, 2, "note")


def test_operands_are_given_as_they_are_but_for_arrays():
    seen = []

    def branch(*operands):
        seen.append(operands)

    operands = (1, "text", None, jnp.tanh, {"a": np.ones(2)}, {3, 4})
    assert eqx.filter_cond(True, branch, branch, *operands) is None
    for received in seen:
        assert received[:4] == operands[:4]
        assert isinstance(received[4]["a"], jax.Array)
        assert received[5] is operands[5]
    assert len(seen) == 2


def test_there_need_be_no_operands():
    assert eqx.filter_cond(jnp.array(False), lambda: (jnp.ones(2), "a"), lambda: (jnp.zeros(2), "a"))[0].sum() == 0


@pytest.mark.parametrize(("index", "expected"), [(0, 6), (1, -3), (2, 3), (-5, 6), (7, 3)])
def test_the_index_decides_which_function_is_called(index, expected):
    model = Layer(jnp.array(3.0))
    for chosen in (index, jnp.array(index)):
        result, _, note = eqx.filter_switch(chosen, [double, negate, keep], model, jnp.ones(2), "note")
        assert result.weight == expected
        assert note == "note"
    assert eqx.filter_switch(index, [keep], model, jnp.ones(2), "note")[0].weight == 3


#: Two branches, where their outputs differ, and what they are, in part.
DIFFERENCES = [
    (lambda x: {"a": x}, lambda x: {"a": x[:1]}, "['a']", "float32[2]", "float32[1]"),
    (lambda x: {"a": x}, lambda x: {"a": x > 0}, "['a']", "float32[2]", "bool[2]"),
    (lambda x: {"a": x}, lambda x: {"b": x}, "", "['a']", "['b']"),
    (lambda x: {"a": x}, lambda x: {"a": None}, "['a']", "float32[2]", "`None`"),
    (lambda x: [x, 1], lambda x: [x, 2], "[1]", "`int`: 1", "`int`: 2"),
    (lambda x: [x, 1], lambda x: [x, True], "[1]", "`int`: 1", "`bool`: True"),
    (lambda x: [x, 1], lambda x: [x, jnp.array(1)], "[1]", "`int`: 1", "int32[]"),
    (Layer, lambda x: Layer(x, jnp.sin), ".activation", "tanh", "sin"),
    (Layer, lambda x: Layer(x, size=2), ".size", "`int`: 1", "`int`: 2"),
]


@pytest.mark.parametrize(("first", "second", "path", "before", "after"), DIFFERENCES)
def test_branches_that_disagree_are_an_error_that_names_the_leaf_and_both_versions(first, second, path, before, after):
    def entry_of(call):
        with pytest.raises(TypeError) as caught:
            call()
        introduction, entry = str(caught.value).splitlines()
        return introduction, entry

    introduction, entry = entry_of(lambda: eqx.filter_cond(True, first, second, jnp.ones(2)))
    assert "`filter_cond`" in introduction
    place, versions = entry.removeprefix("- ").split(": from `true_fun` ")
    from_first, from_second = versions.split("; from `false_fun` ")
    assert place == f"`output{path}`"
    assert before in from_first
    assert after in from_second

    introduction, entry = entry_of(lambda: eqx.filter_switch(0, [first, first, second], jnp.ones(2)))
    assert "`filter_switch`" in introduction
    assert "from `branches[0]`" in entry
    assert "from `branches[2]`" in entry
    assert f"`output{path}`" in entry


def test_branches_may_differ_in_weak_type_as_in_jax():
    assert eqx.filter_cond(True, lambda: jnp.asarray(1.0), lambda: jnp.zeros(())).dtype == jnp.float32


def test_branches_can_be_differentiated_and_vectorised():
    def run(pred, model):
        return eqx.filter_cond(pred, lambda m: (m(3.0), "text"), lambda m: (m.weight**2, "text"), model)[0]

    model = Layer(jnp.array(0.5), lambda x: 2 * x)
    assert eqx.filter_grad(lambda model: run(True, model))(model).weight == 6
    assert eqx.filter_grad(lambda model: run(False, model))(model).weight == 1
    assert jax.vmap(lambda pred: run(pred, model))(jnp.array([True, False])).tolist() == [3, 0.25]


def test_without_jit_only_the_chosen_branch_runs():
    runs = []

    def note(name):
        runs.append(name)
        return name

    with jax.disable_jit():
        assert eqx.filter_cond(jnp.array(True), lambda: note("yes"), lambda: note("no")) == "yes"
        assert eqx.filter_cond(jnp.array(False), lambda: note("yes"), lambda: note("no")) == "no"
        assert eqx.filter_switch(1, [lambda: note("zero"), lambda: note("one")]) == "one"
    assert runs == ["yes", "no", "one"]
