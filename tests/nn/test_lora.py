"""Fine-tuning by weights of low rank."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import equinox as eqx

key = jax.random.key(0)
random = np.random.default_rng(0)


def array(*shape: int) -> jax.Array:
    return jnp.asarray(random.normal(size=shape), "float32")


#: Layers, inputs of theirs, and the shapes of the arrays of a `LoRA` of rank 2.
LAYERS: dict[str, Any] = {
    "Linear": (eqx.nn.Linear(3, 4, key=key), array(3), (2, 3), (4, 2)),
    "Conv2d": (eqx.nn.Conv2d(4, 6, (3, 2), groups=2, key=key), array(4, 5, 5), (2, 2, 3, 2), (6, 2)),
    "ConvTranspose1d": (eqx.nn.ConvTranspose1d(2, 3, 4, key=key), array(2, 5), (2, 2, 4), (3, 2)),
    "Embedding": (eqx.nn.Embedding(5, 3, key=key), jnp.array(2), (2, 3), (5, 2)),
}


def with_difference(lora):
    """As it may be after some training."""
    return eqx.tree_at(lambda lora: lora.b, lora, jnp.asarray(random.normal(size=lora.b.shape), lora.b.dtype))


def is_same(a, b) -> bool:
    return bool(eqx.tree_equal(a, b))


@pytest.mark.parametrize("name", LAYERS)
def test_at_first_it_is_the_layer_itself_to_the_bit(name):
    layer, x, a_shape, b_shape = LAYERS[name]
    lora = eqx.nn.LoRA(layer, 2, key=key)
    assert (lora.a.shape, lora.b.shape) == (a_shape, b_shape)
    assert lora.layer is layer
    assert jnp.array_equal(lora(x), layer(x))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("alpha", [None, 8.0])
def test_the_weight_that_it_uses_is_the_sum_of_the_formula(name, alpha):
    layer, x, _, _ = LAYERS[name]
    lora = with_difference(eqx.nn.LoRA(layer, 2, alpha, key=key))
    product = np.asarray(lora.b) @ np.asarray(lora.a).reshape(2, -1)
    weight = layer.weight + (4.0 if alpha else 1.0) * product.reshape(layer.weight.shape)
    expected = eqx.tree_at(lambda layer: layer.weight, layer, weight)
    np.testing.assert_allclose(lora(x), expected(x), rtol=1e-5, atol=1e-5)


def test_a_starts_like_the_weight_of_a_linear_layer():
    for layer, _, shape, _ in LAYERS.values():
        limit = 1 / np.sqrt(np.prod(shape[1:]))
        expected = jax.random.uniform(key, shape, minval=-limit, maxval=limit)
        assert jnp.array_equal(eqx.nn.LoRA(layer, 2, key=key).a, expected)


def test_the_arrays_have_the_dtype_of_the_weight():
    for dtype in ["bfloat16", "complex64"]:
        lora = eqx.nn.LoRA(eqx.nn.Linear(3, 4, dtype=dtype, key=key), 2, key=key)
        assert lora.a.dtype == lora.b.dtype == dtype
        with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
            assert lora(jnp.ones(3, dtype)).dtype == dtype


def test_no_gradient_flows_to_the_weight_and_one_does_to_the_low_rank():
    lora = with_difference(eqx.nn.LoRA(eqx.nn.Linear(3, 4, key=key), 2, key=key))
    gradient = jax.jit(jax.grad(lambda lora, x: jnp.sum(lora(x) ** 2)))(lora, array(3))
    assert not gradient.layer.weight.any()
    assert gradient.a.any()
    assert gradient.b.any()


def test_the_name_of_the_weight_may_be_another_one():
    cell = eqx.nn.GRUCell(3, 4, key=key)
    lora = eqx.nn.LoRA(cell, 2, key=key, weight_name="weight_hh")
    assert (lora.a.shape, lora.b.shape) == ((2, 4), (12, 2))
    merged = eqx.nn.merge_lora(with_difference(lora))
    assert jnp.array_equal(merged.weight_ih, cell.weight_ih)
    assert not jnp.array_equal(merged.weight_hh, cell.weight_hh)


@pytest.mark.parametrize("name", LAYERS)
def test_merging_changes_no_bit_of_the_output(name):
    layer, x, _, _ = LAYERS[name]
    lora = with_difference(eqx.nn.LoRA(layer, 2, 3.0, key=key))
    merged = eqx.nn.merge_lora(lora)
    assert type(merged) is type(layer)
    assert jax.tree.structure(merged) == jax.tree.structure(layer)
    assert jnp.array_equal(merged(x), lora(x))
    assert not jnp.array_equal(merged(x), layer(x))


def test_merging_finds_every_one_in_a_model_and_nothing_else():
    linear = eqx.nn.Linear(3, 3, key=key)
    lora = with_difference(eqx.nn.LoRA(linear, 2, key=key))
    model = {"plain": linear, "tuned": [lora, eqx.nn.LoRA(lora, 1, key=key, weight_name="b")], "function": jnp.tanh}
    merged = eqx.nn.merge_lora(model)
    assert is_same(merged["plain"], linear)
    assert merged["function"] is jnp.tanh
    assert is_same(merged["tuned"], [eqx.nn.merge_lora(lora)] * 2)
    assert is_same(eqx.nn.merge_lora(merged), merged)


def test_the_filter_selects_a_and_b_alone():
    lora = eqx.nn.LoRA(eqx.nn.Linear(3, 3, key=key), 2, key=key)
    model = {"plain": eqx.nn.Linear(3, 3, key=key), "tuned": [lora, eqx.nn.LoRA(lora, 1, key=key, weight_name="b")]}
    selected = eqx.nn.lora_filter(model)
    assert jax.tree.structure(selected) == jax.tree.structure(model)
    paths = {jax.tree_util.keystr(path) for path, mark in jax.tree_util.tree_leaves_with_path(selected) if mark}
    first, second = "['tuned'][0]", "['tuned'][1]"
    assert paths == {f"{first}.a", f"{first}.b", f"{second}.a", f"{second}.b", f"{second}.layer.a", f"{second}.layer.b"}
    with pytest.raises(ValueError, match=r"`model`.*no `LoRA`"):
        eqx.nn.lora_filter(model["plain"])


def test_every_layer_of_a_model_is_wrapped_with_a_key_of_its_own():
    mlp = eqx.nn.MLP(3, 3, 3, 1, key=key)
    tuned = eqx.nn.add_lora(mlp, 2, 4.0, key=key)
    loras: list[Any] = list(tuned.layers)
    for lora, layer, sub_key in zip(loras, mlp.layers, jax.random.split(key), strict=True):
        assert is_same(lora, eqx.nn.LoRA(layer, 2, 4.0, key=sub_key))
    assert jnp.array_equal(tuned(array(3) * 0), mlp(array(3) * 0))
    assert is_same(eqx.nn.merge_lora(tuned), mlp)


def test_attention_can_be_wrapped():
    attention = eqx.nn.MultiheadAttention(2, 4, key=key)
    tuned = eqx.nn.add_lora(attention, 1, key=key)
    x = array(3, 4)
    assert isinstance(tuned.query_proj, eqx.nn.LoRA)
    np.testing.assert_allclose(tuned(x, x, x), attention(x, x, x), rtol=1e-6)


def test_which_layers_are_wrapped_can_be_chosen():
    mlp = eqx.nn.MLP(3, 3, 3, 2, key=key)
    one: Any = eqx.nn.add_lora(mlp, 2, key=key, where=lambda m: m.layers[1])
    two: Any = eqx.nn.add_lora(mlp, 2, key=key, where=lambda m: (m.layers[0], m.layers[2]))
    assert [type(layer).__name__ for layer in one.layers] == ["Linear", "LoRA", "Linear"]
    assert [type(layer).__name__ for layer in two.layers] == ["LoRA", "Linear", "LoRA"]
    model = [eqx.nn.Conv1d(2, 2, 3, key=key), mlp]
    convs = eqx.nn.add_lora(model, 2, key=key, where=eqx.nn.Conv)
    assert [type(layer).__name__ for layer in convs] == ["LoRA", "MLP"]


def test_layers_that_are_wrapped_already_are_left_alone():
    one = eqx.nn.add_lora(eqx.nn.MLP(3, 3, 3, 1, key=key), 2, key=key, where=lambda m: m.layers[0])
    both: Any = eqx.nn.add_lora(one, 2, key=key)
    assert is_same(both.layers[0], one.layers[0])
    assert type(both.layers[1]) is eqx.nn.LoRA
    with pytest.raises(ValueError, match=r"`where`.*no `Linear`"):
        eqx.nn.add_lora(both, 2, key=key)


def test_stacked_layers_are_wrapped_under_vmap():
    mlp = eqx.nn.MLP(3, 3, 3, 3, scan=True, key=key)
    make = eqx.filter_vmap(lambda layer, key: eqx.nn.LoRA(layer, 2, key=key))
    stacked = make(mlp.layers[1], jax.random.split(key, 2))
    assert stacked.a.shape == (2, 2, 3)
    tuned = eqx.tree_at(lambda m: m.layers[1], mlp, stacked)
    np.testing.assert_allclose(tuned(jnp.ones(3)), mlp(jnp.ones(3)), rtol=1e-6)


def test_training_changes_the_low_rank_and_no_bit_of_the_rest():
    model = eqx.nn.add_lora(eqx.nn.MLP(3, 2, 4, 1, key=key), 2, key=key)
    optimizer = eqx.Optimizer(optax.adamw(0.1), model, filter=eqx.nn.lora_filter(model))
    x, y = array(5, 3), array(5, 2)

    def loss(model):
        return jnp.mean((jax.vmap(model)(x) - y) ** 2)

    @eqx.filter_jit
    def step(model, optimizer):
        value, gradient = eqx.filter_value_and_grad(loss)(model)
        return *optimizer.update(gradient, model), value

    trained, values = model, []
    for _ in range(20):
        trained, optimizer, value = step(trained, optimizer)
        values.append(float(value))
    assert values[-1] < 0.5 * values[0]
    selected = eqx.nn.lora_filter(model)
    assert is_same(eqx.filter(trained, selected, inverse=True), eqx.filter(model, selected, inverse=True))
    np.testing.assert_allclose(loss(eqx.nn.merge_lora(trained)), loss(trained), rtol=1e-6)


@pytest.mark.parametrize("rank", [0, -1, 1.5])
def test_a_rank_that_is_no_positive_integer_is_an_error(rank):
    with pytest.raises(ValueError, match=f"`rank`.*{rank}"):
        eqx.nn.LoRA(eqx.nn.Linear(3, 3, key=key), rank, key=key)


def test_a_weight_that_is_no_matrix_is_an_error():
    linear = eqx.nn.Linear(3, 3, key=key)
    with pytest.raises(ValueError, match=r"`weight_name`.*`bias`.*`Linear`.*two axes.*\(3,\)"):
        eqx.nn.LoRA(linear, 1, key=key, weight_name="bias")
    with pytest.raises(AttributeError, match="kernel"):
        eqx.nn.LoRA(linear, 1, key=key, weight_name="kernel")
    with pytest.raises(ValueError, match=r"`weight_name`.*`bias`.*an array.*None"):
        eqx.nn.LoRA(eqx.nn.Linear(3, 3, False, key=key), 1, key=key, weight_name="bias")


def test_it_has_the_documented_signature_and_survives_a_round_trip(tmp_path):
    parameters = list(inspect.signature(eqx.nn.LoRA).parameters)
    assert parameters == ["layer", "rank", "alpha", "key", "weight_name"]
    lora = with_difference(eqx.nn.LoRA(eqx.nn.Linear(3, 4, key=key), 2, key=key))
    eqx.tree_serialise_leaves(tmp_path / "lora.eqx", lora)
    like = eqx.nn.LoRA(eqx.nn.Linear(3, 4, key=jax.random.key(1)), 2, key=key)
    assert is_same(eqx.tree_deserialise_leaves(tmp_path / "lora.eqx", like), lora)


def test_it_can_be_made_and_called_under_transformations():
    def make(key):
        return eqx.nn.LoRA(eqx.nn.Linear(3, 4, key=key), 2, key=key)

    keys = jax.random.split(key, 3)
    xs = array(3, 3)
    ensemble = eqx.filter_vmap(make)(keys)
    outs = eqx.filter_jit(eqx.filter_vmap(lambda member, x: member(x)))(ensemble, xs)
    np.testing.assert_allclose(outs, jnp.stack([make(k)(x) for k, x in zip(keys, xs, strict=True)]), rtol=1e-5)
    shapes = eqx.filter_eval_shape(make, key)
    assert (shapes.a.shape, shapes.b.shape) == ((2, 3), (4, 2))
    with jax.enable_x64(True):
        assert make(key).a.dtype == np.float64
