"""Tables of vectors."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("embedding")
table = jnp.arange(12.0).reshape(4, 3)
embedding = eqx.nn.Embedding(weight=table)
compiled = jax.jit(lambda layer, x: layer(x))
slope = jax.jit(jax.grad(lambda layer, x: layer(x).sum()))


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    with jax.enable_x64(torch["weight"].dtype == np.float64):
        vectors = jax.vmap(eqx.nn.Embedding(weight=jnp.asarray(torch["weight"])))(torch["x"])
        assert vectors.dtype == torch["y"].dtype
        assert jnp.array_equal(vectors, torch["y"])


@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16", "complex64"])
@pytest.mark.parametrize("sizes", [(4, 3), (1, 0), (0, 3)])
def test_the_table_is_normal_and_drawn_with_the_key_itself(sizes, dtype):
    layer = eqx.nn.Embedding(*sizes, dtype=dtype, key=key)
    assert layer.weight.dtype == (dtype or "float32")
    assert jnp.array_equal(layer.weight, jax.random.normal(key, sizes, dtype or "float32"))
    assert (layer.num_embeddings, layer.embedding_size) == sizes


def test_the_default_dtype_is_that_of_jax_at_construction():
    with jax.enable_x64(True):
        layer = eqx.nn.Embedding(4, 3, key=key)
    assert layer.weight.dtype == "float64"


def test_typed_and_raw_keys_give_the_same_table():
    tables = [eqx.nn.Embedding(4, 3, key=key).weight for key in (jax.random.key(3), jax.random.PRNGKey(3))]
    assert jnp.array_equal(*tables)


def test_sizes_are_static_plain_integers_even_if_they_were_numpy_integers():
    sizes: list[Any] = [np.int64(4), np.int32(3)]
    for layer in (eqx.nn.Embedding(*sizes, key=key), eqx.nn.Embedding(*sizes, weight=table)):
        assert type(layer.num_embeddings) is type(layer.embedding_size) is int
        assert len(jax.tree.leaves(layer)) == 1


@pytest.mark.parametrize("weight", [table, np.ones((4, 3), "int8"), jnp.ones((4, 3), "complex64")])
def test_a_given_table_is_stored_as_it_is_and_decides_the_sizes(weight):
    for sizes in [(), (4,), (4, 3), (None, 3)]:
        layer = eqx.nn.Embedding(*sizes, weight=weight, dtype="int32", key=key)
        assert layer.weight is weight
        assert (layer.num_embeddings, layer.embedding_size) == (4, 3)


@pytest.mark.parametrize(("name", "size"), [("num_embeddings", 5), ("embedding_size", 4)])
def test_a_size_that_contradicts_the_table_is_an_error(name, size):
    sizes: Any = {name: size}
    with pytest.raises(ValueError, match=rf"`{name}` is {size}, but argument `weight` has shape \(4, 3\)"):
        eqx.nn.Embedding(**sizes, weight=table)


@pytest.mark.parametrize("weight", [jnp.ones(3), jnp.ones((2, 3, 4)), [[1.0]]])
def test_a_table_without_two_axes_is_an_error(weight):
    with pytest.raises(ValueError, match=r"`weight` must be an array of shape \(num_embeddings, embedding_size\)"):
        eqx.nn.Embedding(weight=weight)


@pytest.mark.parametrize("missing", [["num_embeddings"], ["embedding_size", "key"], ["key"]])
def test_without_a_table_the_sizes_and_a_key_are_needed(missing):
    given: dict[str, Any] = {"num_embeddings": 4, "embedding_size": 3, "key": key}
    names = ", ".join(f"`{name}`" for name in missing)
    with pytest.raises(ValueError, match=f"needs {names}, unless"):
        eqx.nn.Embedding(**{name: value for name, value in given.items() if name not in missing})


@pytest.mark.parametrize("size", [-1, 2.5, "scalar"])
def test_a_bad_size_is_an_error_that_names_it(size):
    with pytest.raises(ValueError, match=f"`num_embeddings`.*{size}"):
        eqx.nn.Embedding(size, 3, key=key)
    with pytest.raises(ValueError, match=f"`embedding_size`.*{size}"):
        eqx.nn.Embedding(4, size, key=key)


def test_a_dtype_that_cannot_hold_parameters_is_an_error():
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        eqx.nn.Embedding(4, 3, dtype="int32", key=key)


@pytest.mark.parametrize("kind", [int, np.int64, np.asarray, jnp.int32, jnp.int8, jnp.uint8])
def test_an_index_may_be_any_kind_of_integer(kind):
    assert jnp.array_equal(embedding(kind(2)), table[2])


@pytest.mark.parametrize(("index", "row"), [(-1, 3), (-4, 0), (4, 3), (100, 3), (-5, 0), (-100, 0)])
@pytest.mark.parametrize("kind", [int, jnp.int32, jnp.int8])
def test_negative_indices_count_from_the_end_and_others_outside_stand_for_the_nearest_row(index, row, kind):
    assert jnp.array_equal(embedding(kind(index)), table[row])
    assert jnp.array_equal(compiled(embedding, kind(index)), table[row])
    gradient = slope(embedding, kind(index))
    assert jnp.array_equal(gradient.weight, jnp.zeros((4, 3)).at[row].set(1))


def test_an_index_of_few_bits_may_count_from_the_end_of_a_long_table():
    weight = jnp.arange(300.0)[:, None]
    assert eqx.nn.Embedding(weight=weight)(jnp.int8(-1)) == 299


@pytest.mark.parametrize("index", [True, np.True_, jnp.array(False), 1.0, jnp.float32(1), 1j])
def test_an_index_that_is_no_integer_is_an_error(index):
    # Booleans would select the whole table or nothing.
    with pytest.raises(TypeError, match="`x` of `Embedding` must be an integer"):
        embedding(index)


@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_several_indices_are_an_error_that_points_to_vmap(shape):
    with pytest.raises(ValueError, match=r"`x` of `Embedding` must have shape \(\).*jax\.vmap"):
        embedding(jnp.zeros(shape, int))


def test_the_key_of_a_call_is_ignored():
    for ignored in (None, key):
        assert jnp.array_equal(embedding(1, key=ignored), table[1])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "complex64", "int8"])
def test_vectors_have_the_dtype_of_the_table_where_promotion_is_strict(dtype):
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        vector = eqx.nn.Embedding(weight=table.astype(dtype))(jnp.uint8(2))
    assert vector.dtype == dtype
    assert vector.tolist() == [6, 7, 8]


def test_a_table_from_numpy_takes_traced_indices():
    layer = eqx.nn.Embedding(weight=np.asarray(table))
    vectors = jax.vmap(layer)(jnp.array([2, 0]))
    assert isinstance(vectors, jax.Array)
    assert jnp.array_equal(vectors, table[jnp.array([2, 0])])


def test_construction_and_calls_can_be_transformed():
    made = jax.jit(lambda key: eqx.nn.Embedding(4, 3, key=key))(key)
    assert eqx.tree_equal(made, eqx.nn.Embedding(4, 3, key=key))
    shapes = jax.eval_shape(lambda key: eqx.nn.Embedding(4, 3, key=key), key)
    assert shapes.weight.shape == (4, 3)

    keys = jax.random.split(key, 5)
    ensemble = jax.vmap(lambda key: eqx.nn.Embedding(4, 3, key=key))(keys)
    vectors = jax.vmap(lambda layer, x: layer(x))(ensemble, jnp.array([0, 1, 2, 3, -1]))
    for i in range(5):
        assert jnp.array_equal(vectors[i], eqx.nn.Embedding(4, 3, key=keys[i]).weight[i if i < 4 else 3])

    _, tangent = jax.jvp(lambda layer: layer(2), (embedding,), (embedding,))
    assert jnp.array_equal(tangent, table[2])


PADDED = cases("padded_embedding")


@pytest.mark.parametrize("case", PADDED)
def test_a_row_for_padding_has_no_gradient_as_in_pytorch(case):
    torch = PADDED[case]
    padding = int(case.split(":")[0])
    with jax.enable_x64(torch["y"].dtype == np.float64):
        embedding = eqx.nn.Embedding(weight=jnp.asarray(torch["weight"]), padding_idx=padding)

        def loss(embedding, factors):
            y = jax.vmap(embedding)(torch["x"])
            return (y * factors).sum(), y

        gradient, y = eqx.filter_jit(eqx.filter_grad(loss, has_aux=True))(embedding, torch["factors"])
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))
        np.testing.assert_allclose(gradient.weight, torch["gradient"], **tolerance(torch["y"]))
    made = eqx.nn.Embedding(4, 3, padding_idx=padding, key=jax.random.key(0))
    assert np.array_equal(np.all(made.weight == 0, axis=1), np.all(torch["start"] == 0, axis=1))


def test_a_row_for_padding_has_no_gradient_by_whichever_index_it_is_looked_up():
    embedding = eqx.nn.Embedding(4, 2, padding_idx=-1, key=jax.random.key(0))
    assert embedding.padding_idx == 3
    for index in (3, -1):
        gradient = eqx.filter_grad(lambda e, index=index: e(index).sum())(embedding)
        assert not jnp.any(gradient.weight)


def test_apart_from_the_row_for_padding_the_table_starts_as_without_it():
    table = eqx.nn.Embedding(4, 2, key=jax.random.key(0)).weight
    padded = eqx.nn.Embedding(4, 2, padding_idx=1, key=jax.random.key(0)).weight
    assert jnp.array_equal(padded, table.at[1].set(0))
    assert jnp.array_equal(eqx.nn.Embedding(weight=table, padding_idx=1).weight, table)


def test_padding_is_no_leaf_and_not_shown_where_there_is_none():
    embedding = eqx.nn.Embedding(4, 2, key=jax.random.key(0))
    assert embedding.padding_idx is None
    assert "padding_idx" not in repr(embedding)
    assert len(jax.tree.leaves(eqx.nn.Embedding(4, 2, padding_idx=0, key=jax.random.key(0)))) == 1


@pytest.mark.parametrize("padding", [4, -5, 1.5, "0"])
def test_a_row_for_padding_that_is_not_there_is_an_error(padding):
    with pytest.raises(ValueError, match=r"`padding_idx`.* -4 to 3") as info:
        eqx.nn.Embedding(4, 2, padding_idx=padding, key=jax.random.key(0))
    assert repr(padding) in str(info.value)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_a_vector_is_compared_with_all_vectors(dtype):
    embedding = eqx.nn.Embedding(4, 3, dtype=dtype, key=jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (3,), dtype)
    logits = embedding.attend(x)
    assert logits.dtype == dtype
    assert jnp.array_equal(logits, embedding.weight @ x)
    assert jax.vmap(embedding.attend)(jnp.stack([x, x])).shape == (2, 4)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_a_vector_of_another_size_is_an_error(shape):
    embedding = eqx.nn.Embedding(4, 3, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"`x` of `Embedding` must have shape \(3,\)") as info:
        embedding.attend(jnp.ones(shape))
    assert str(shape) in str(info.value)
