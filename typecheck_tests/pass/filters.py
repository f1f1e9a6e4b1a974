"""Splitting, joining and changing trees: a model stays a model."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import equinox as eqx


class Layer(eqx.Module):
    weight: Array
    activation: Callable[[Array], Array] = jax.nn.relu


class Model(eqx.Module):
    layers: list[Layer]
    temperature: Array | None = None


def describe(leaf: object) -> str:
    if eqx.is_array(leaf):
        return f"{leaf.dtype}{list(leaf.shape)}"
    if eqx.is_array_like(leaf):
        return f"{jnp.asarray(leaf).dtype}"
    return "something else"


def mean_of_all(model: Model) -> float:
    leaves: list[object] = jax.tree.leaves(model)
    values = [jnp.mean(leaf) for leaf in leaves if eqx.is_inexact_array(leaf)]
    return float(sum(values))


model = Model([Layer(jnp.ones((2, 2))), Layer(jnp.zeros((1, 2)))])

arrays, rest = eqx.partition(model, eqx.is_array)
assert arrays.layers[0].weight.shape == (2, 2)
assert rest.layers[0].activation is jax.nn.relu
assert eqx.tree_equal(eqx.combine(arrays, rest), model)
assert eqx.filter(model, eqx.is_array, inverse=True).layers[1].activation is jax.nn.relu

changed = eqx.tree_at(lambda model: model.layers[0].weight, model, jnp.full((2, 2), 3.0))
assert mean_of_all(changed) == 3.0
doubled = eqx.tree_at(lambda model: [layer.weight for layer in model.layers], model, replace_fn=lambda w: 2 * w)
assert mean_of_all(doubled) == 2.0
warm = eqx.tree_at(lambda model: model.temperature, model, jnp.array(1.0), is_leaf=lambda leaf: leaf is None)
assert warm.temperature is not None

updated = eqx.apply_updates(model, eqx.filter(model, eqx.is_array))
assert mean_of_all(updated) == 2.0

assert describe(jnp.ones(2)) == "float32[2]"
assert describe(np.ones(2, np.float32)) == "float32[2]"
assert describe(3) == "int32"
assert describe("text") == "something else"
assert eqx.tree_pformat(model.layers[1].weight) == "f32[1,2]"
