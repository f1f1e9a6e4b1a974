import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox import tree_summary


class Encoder(eqx.Module):
    layers: list[eqx.nn.Linear]
    scale: jax.Array
    table: np.ndarray
    count: jax.Array
    name: str

    def __call__(self, x, *, key):
        for layer in self.layers:
            x = layer(x)
        return self.scale * x, key


def encoder():
    key = jax.random.key(0)
    layers = [eqx.nn.Linear(2, 3, key=key), eqx.nn.Linear(3, 3, use_bias=False, key=key)]
    return Encoder(layers, jnp.ones(()), np.ones(3), jnp.array(1, jnp.int8), "encoder")


def column(summary: Any, name: str) -> dict[str, Any]:
    return {row.path: getattr(row, name) for row in summary.rows}


def test_there_is_a_row_for_the_model_for_each_module_and_for_each_array_beside_modules() -> None:
    assert column(tree_summary(encoder()), "type") == {
        "": "Encoder",
        ".layers[0]": "Linear",
        ".layers[1]": "Linear",
        ".scale": "Array",
        ".table": "Array",
        ".count": "Array",
    }


def test_the_parts_are_in_the_order_of_the_tree_in_any_containers() -> None:
    tree = {"b": (encoder().layers[0], None, 3), "a": jnp.ones(1), "c": eqx.filter_jit(encoder().layers[1])}
    assert list(column(tree_summary(tree), "type").items()) == [
        ("", "dict"),
        ("['a']", "Array"),
        ("['b'][0]", "Linear"),
        ("['c']", "Linear"),
    ]


@pytest.mark.parametrize(("tree", "type"), [(None, "NoneType"), (jnp.ones(2), "Array"), (3, "int"), ([], "list")])
def test_any_tree_has_a_row_of_its_own(tree: Any, type: str) -> None:
    assert column(tree_summary(tree), "type") == {"": type}


def test_each_row_counts_what_is_inside() -> None:
    summary = tree_summary(encoder())
    assert list(column(summary, "parameters").values()) == [9 + 9 + 1 + 3, 9, 9, 1, 3, 0]
    assert list(column(summary, "trainable").values()) == [9 + 9 + 1, 9, 9, 1, 0, 0]
    assert list(column(summary, "bytes").values()) == [36 + 36 + 4 + 24 + 1, 36, 36, 4, 24, 1]
    assert summary.rows[0].dtypes == ("float32", "float64", "int8")
    assert (summary.parameters, summary.trainable, summary.bytes, summary.flops) == (22, 19, 101, None)


@pytest.mark.parametrize("as_struct", [False, True])
def test_the_filter_says_what_is_trained(as_struct: bool) -> None:
    model = encoder()
    first = eqx.trainable(model, where=lambda m: m.layers[0].weight)
    if as_struct:
        model = jax.tree.map(
            lambda leaf: eqx.filter_eval_shape(lambda: leaf) if isinstance(leaf, jax.Array) else leaf, model
        )
    assert list(column(tree_summary(model, filter=first), "trainable").values()) == [6, 6, 0, 0, 0, 0]
    assert tree_summary(model, filter=eqx.is_inexact_array).trainable == 19
    assert tree_summary(model, filter=lambda leaf: False).trainable == 0


def test_a_filter_that_does_not_fit_is_reported() -> None:
    with pytest.raises(ValueError, match="filter_spec"):
        tree_summary(encoder(), filter=[True])


def test_a_call_gives_shapes_and_operations() -> None:
    summary = tree_summary(encoder(), jnp.ones(2), key=jax.random.key(0))
    assert column(summary, "calls") == {"": 1, ".layers[0]": 1, ".layers[1]": 1, ".scale": 0, ".table": 0, ".count": 0}
    root, first, second, *arrays = summary.rows
    assert root.inputs is not None
    assert (root.inputs["x"].shape, str(root.inputs["key"].dtype)) == ((2,), "key<fry>")
    assert [struct.shape for struct in root.output] == [(3,), ()]
    assert (first.output.shape, second.output.shape) == ((3,), (3,))
    assert (first.flops, second.flops) == (2 * 6 + 3, 2 * 9)
    assert summary.flops == root.flops
    assert 15 + 18 < (root.flops or 0) <= 15 + 18 + 3
    assert all((row.inputs, row.output, row.flops) == (None, None, None) for row in arrays)


def test_nothing_is_computed_and_sizes_do_not_matter() -> None:
    model = eqx.filter_eval_shape(eqx.nn.MLP, 10**6, 10**6, 10**6, 3, key=jax.random.key(0))
    summary = tree_summary(model, jax.ShapeDtypeStruct((10**6,), jnp.float32))
    assert summary.parameters == 4 * (10**12 + 10**6)
    assert summary.rows[-1].output.shape == (10**6,)
    assert summary.flops is not None
    assert math.isclose(summary.flops, 8 * 10**12, rel_tol=1e-3)


def test_a_summary_can_be_made_while_a_function_is_traced() -> None:
    model = encoder()
    found: list[Any] = []

    @eqx.filter_jit
    def function(model, x):
        found.append(tree_summary(model, x, key=jax.random.key(0)))

    function(model, jnp.ones(2))
    assert found[0].flops == tree_summary(model, jnp.ones(2), key=jax.random.key(0)).flops
    assert found[0].rows[1].inputs["x"] == jax.ShapeDtypeStruct((2,), jnp.float32)


def test_parts_that_cannot_be_told_apart_share_what_is_seen_of_them() -> None:
    class Model(eqx.Module):
        layers: list[eqx.nn.Linear]

        def __call__(self, x):
            return jax.checkpoint(lambda layer, x: layer(x))(jax.tree.map(jnp.copy, self.layers[1]), x)

    key = jax.random.key(0)
    model = Model([eqx.nn.Linear(3, 3, key=key), eqx.nn.Linear(3, 3, key=key)])
    assert column(tree_summary(model, jnp.ones(3)), "calls") == {"": 1, ".layers[0]": 1, ".layers[1]": 1}


def test_parts_inside_of_compiled_functions_are_all_found() -> None:
    class Block(eqx.Module):
        linear: eqx.nn.Linear

        @eqx.filter_jit
        def __call__(self, x):
            return self.linear(x)

    model = eqx.nn.Sequential([Block(eqx.nn.Linear(3, 3, key=jax.random.key(0))) for _ in range(3)])
    model = eqx.tree_at(lambda m: m.layers, model, tuple(eqx.nn.Lambda(eqx.filter_jit(b)) for b in model.layers))
    summary = tree_summary(model, jnp.ones(3))
    assert set(column(summary, "calls").values()) == {1}
    assert set(column(summary, "flops").values()) == {3 * 21, 21}


def test_an_error_of_the_model_is_not_touched() -> None:
    with pytest.raises(ValueError, match=r"argument `x` of `Linear` must have shape \(2,\)"):
        tree_summary(encoder(), jnp.ones(5), key=jax.random.key(0))
