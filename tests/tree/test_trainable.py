import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox import freeze, trainable
from equinox._jax_tree import tree_structure


class Layer(eqx.Module):
    weight: Any
    bias: Any = None


class Model(eqx.Module):
    layers: list[Layer]
    count: Any
    constant: np.ndarray
    name: str
    size: int = eqx.field(static=True, default=3)

    def __call__(self, x):
        for layer in self.layers:
            x = x * layer.weight + (0 if layer.bias is None else layer.bias)
        return x


def model():
    layers = [Layer(jnp.ones(2), jnp.zeros(2)), Layer(jnp.full(2, 2.0)), Layer(jnp.full(2, 3.0), jnp.ones(2))]
    return Model(layers, jnp.array(1), np.ones(2), "model")


def selected(filter):
    return [jax.tree_util.keystr(path) for path, flag in jax.tree.leaves_with_path(filter) if flag]


EVERYTHING = [
    ".layers[0].weight",
    ".layers[0].bias",
    ".layers[1].weight",
    ".layers[2].weight",
    ".layers[2].bias",
]


def test_all_floating_point_arrays_of_jax_are_trainable_and_nothing_else() -> None:
    assert selected(trainable(model())) == EVERYTHING


def test_a_filter_is_a_tree_of_booleans_with_the_structure_of_the_model() -> None:
    for filter in (trainable(model()), trainable(model(), Layer), freeze(model(), Layer)):
        assert tree_structure(filter) == tree_structure(model())
        assert {type(leaf) for leaf in jax.tree.leaves(filter)} == {bool}


WHERE: list[tuple[Any, list[str]]] = [
    (lambda m: m, EVERYTHING),
    (lambda m: m.layers[0], [".layers[0].weight", ".layers[0].bias"]),
    (lambda m: m.layers[0].weight, [".layers[0].weight"]),
    (lambda m: (m.layers[0].weight, m.layers[2]), [".layers[0].weight", ".layers[2].weight", ".layers[2].bias"]),
    (lambda m: [layer.bias for layer in m.layers], [".layers[0].bias", ".layers[2].bias"]),
    (lambda m: m.layers[1].bias, []),
    (lambda m: [], []),
    (lambda m: (m.name, m.count, m.constant), []),
    (Layer, EVERYTHING),
    (np.ndarray, []),
    ([lambda m: m.layers[0].weight, lambda m: m.layers[0]], [".layers[0].weight", ".layers[0].bias"]),
    ((str, lambda m: m.layers[1]), [".layers[1].weight"]),
]


@pytest.mark.parametrize(("where", "found"), WHERE)
def test_where_says_what_is_trained(where: Any, found: list[str]) -> None:
    assert selected(trainable(model(), where)) == found
    assert selected(trainable(model(), where=where)) == found


@pytest.mark.parametrize(("where", "found"), WHERE)
def test_freeze_selects_all_other_parameters(where: Any, found: list[str]) -> None:
    assert selected(freeze(model(), where)) == [path for path in EVERYTHING if path not in found]


def test_a_class_means_all_its_instances_however_deep() -> None:
    tree = {"a": [Layer(jnp.ones(1))], "b": {"c": (Layer(Layer(jnp.ones(1))), jnp.ones(1))}}
    assert selected(trainable(tree, Layer)) == ["['a'][0].weight", "['b']['c'][0].weight.weight"]
    assert selected(freeze(tree, Layer)) == ["['b']['c'][1]"]


def test_one_array_at_two_places_is_selected_where_it_is_meant() -> None:
    shared = jnp.ones(2)
    assert selected(trainable([shared, shared], lambda t: t[1])) == ["[1]"]


def test_a_model_of_any_size_can_be_filtered_without_its_arrays() -> None:
    structs = jax.eval_shape(lambda: eqx.filter(model(), eqx.is_inexact_array))
    assert selected(trainable(structs)) == EVERYTHING
    assert not trainable(jax.ShapeDtypeStruct((2,), jnp.int32))


def test_filters_are_combined_leaf_by_leaf() -> None:
    weights = trainable(model(), lambda m: [layer.weight for layer in m.layers])
    rest = freeze(model(), lambda m: m.layers[0])
    assert selected(jax.tree.map(operator.and_, weights, rest)) == [".layers[1].weight", ".layers[2].weight"]
    assert selected(jax.tree.map(operator.or_, weights, rest)) == [p for p in EVERYTHING if p != ".layers[0].bias"]


def test_a_filter_can_be_made_while_a_function_is_traced() -> None:
    @eqx.filter_jit
    def function(model):
        return trainable(model, lambda m: m.layers[2])

    # NumPy arrays are arrays like any other inside of a compiled function.
    assert selected(function(model())) == [".layers[2].weight", ".layers[2].bias"]


def test_where_may_not_depend_on_the_values_of_leaves() -> None:
    with pytest.raises(AttributeError, match="where must not look at leaves"):
        trainable(model(), lambda m: [layer.weight for layer in m.layers if layer.weight.ndim == 1])


def test_what_is_not_in_the_tree_is_reported() -> None:
    with pytest.raises(TypeError, match=r"`where`.*static field `\.size` of `Model`"):
        trainable(model(), lambda m: m.size)
    with pytest.raises(ValueError, match="`where`: there is no `LSTMCell` in the model"):
        freeze(model(), eqx.nn.LSTMCell)
    with pytest.raises(AttributeError, match="layer"):
        freeze(model(), lambda m: m.layer)


@pytest.mark.parametrize("where", ["layers", 3, [lambda m: m.layers[0], "layers"]])
def test_where_is_a_function_or_a_class(where: Any) -> None:
    with pytest.raises(TypeError, match=r"argument `where`: found a value of type `(str|int)`"):
        trainable(model(), where)


def loss(model, x):
    return jnp.sum(model(x) ** 2)


def same_bits(first: Any, second: Any) -> bool:
    return np.asarray(first).tobytes() == np.asarray(second).tobytes()


@given(st.data())
def test_whatever_is_trained_everything_else_stays_the_same_to_the_bit(data: st.DataObject) -> None:
    before = model()
    parts = [lambda m, i=i: m.layers[i] for i in range(3)]
    where = data.draw(st.lists(st.sampled_from(parts), min_size=1))
    filter = data.draw(st.sampled_from([trainable, freeze]))(before, where)
    optimiser = optax.adamw(0.1, weight_decay=0.5)
    state = optimiser.init(eqx.filter(before, filter))

    gradient = eqx.gradf(loss, filter_tree=filter)(before, jnp.arange(1.0, 3.0))
    updates, state = optimiser.update(gradient, state, eqx.filter(before, filter))
    after = eqx.apply_updates(before, updates)

    chosen = selected(filter)
    for (path, old), new in zip(jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if jax.tree_util.keystr(path) in chosen:
            assert not same_bits(old, new)
        else:
            assert new is old
    # Nothing is kept for what is frozen: Adam keeps a count, and two arrays for each parameter.
    assert len(jax.tree.leaves(state)) == 1 + 2 * len(chosen)


def test_the_two_line_idiom_trains_the_selected_part_with_jax_itself() -> None:
    params, static = eqx.partition(model(), trainable(model(), where=lambda m: m.layers[0]))
    gradient = jax.grad(lambda params: loss(eqx.combine(params, static), jnp.ones(2)))(params)
    assert [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(gradient)] == EVERYTHING[:2]
